/**
 * Serves models over HTTP in the manner of OpenAI and vLLM: routes as a layer of `effect/http`, over models that were loaded or
 * trained here.
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as HttpRouter from "effect/http/HttpRouter"
 * import * as Layer from "effect/Layer"
 * import { Espalier, Model, Task } from "@espalier/espalier"
 * import * as Llama from "@espalier/espalier/llama"
 * import * as Server from "@espalier/espalier/server"
 *
 * const routes = Layer.unwrap(Effect.gen(function* () {
 *   const model = yield* Model.load("examples/models/espalier-1m", { task: Task.causalLM(), frozen: true })
 *   return Server.layer({ models: [yield* Server.writer(model, { name: "small" })] })
 * }))
 * const machine = Llama.layer.pipe(Layer.provideMerge(Espalier.layer))
 * const { handler, dispose } = HttpRouter.toWebHandler(routes.pipe(Layer.provide(machine)), { disableLogger: true })
 *
 * const answer = await handler(new Request("http://localhost/v1/models"))
 * console.log((await answer.json()).data[0].id) // small
 * await dispose()
 * ```
 *
 * @module
 */
export { layer } from "./layer.ts"
export type { Call, CalledFunction, CallSpelling, HeldCalls, ReadCalls } from "./calls/call_spelling.ts"
export { callSpellings } from "./calls/spellings.ts"
export { SERVER_OPTIONS as serverOptions, type ServerOptions } from "./options.ts"
export { ApiError, type ApiErrorFields } from "./requests/api_error.ts"
export { makePlaces, type Places } from "./requests/places.ts"
export type {
  AdapterSlots,
  AnswerOptions,
  AnswerPiece,
  ChatRest,
  Read,
  Reads,
  ScoredToken,
  Served,
  Writes,
} from "./served.ts"
export { classifier, embedder, type ReaderOptions } from "./texts/reader.ts"
export { type NameOptions } from "./writer/name_options.ts"
export { writer, type WriterOptions } from "./writer/writer.ts"
