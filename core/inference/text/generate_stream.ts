/**
 * Generation as a stream of Effect: apart from the main entry, as a page that uses `Model.generate` needs no streams.
 *
 * ```ts
 * import { Model, Task } from "@espalier/espalier"
 * import { generateStream } from "@espalier/espalier/generate"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * export const answer = Effect.gen(function* () {
 *   const model = yield* Model.load("models/chat", { task: Task.causalLM() })
 *   const pieces = generateStream(model, "The capital of France is", { maxNewTokens: 20 })
 *   yield* Stream.runForEach(pieces, (piece) => Effect.sync(() => console.log(piece)))
 * })
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import type { DataError } from "../../data/data_error.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import {
  encoded,
  engineFor,
  type GenerateError,
  type GenerateOptions,
  toGenerateError,
  wrongOptions,
} from "../generate.ts"
import { answer, type AnswerOptions } from "./answer.ts"

export type { GenerateError, GenerateOptions }
export type { NewToken, RowOptions } from "../engine.ts"
export type { BeamOptions } from "../beams/beam_search.ts"
export type { SamplingOptions } from "../sampler.ts"

/** Options of {@link generateStream}. */
export interface GenerateStreamOptions
  extends Omit<GenerateOptions, "plugins">, Pick<AnswerOptions, "stopStrings" | "constraint"> {
  /** Id of the plugin that the prompt goes through (`"method/name"`), or `""` for none. Default: all plugins. */
  readonly plugin?: string
}

/**
 * Continues a text, or token ids, in pieces of whole characters, each with what one or more new tokens made certain. Joined, they are the
 * text that `Model.generate` gives, up to a stop string. It runs while it is read, together with other texts of the model; if the reader stops, or
 * the stream is interrupted, its row is free after the step under way.
 */
export function generateStream(
  model: Model,
  prompt: string | Int32Array,
  options: GenerateStreamOptions = {},
): Stream.Stream<string, GenerateError | DataError, FileSystem.FileSystem> {
  return Stream.unwrap(Effect.gen(function* () {
    const wrong = wrongOptions(options)
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    const { methods = true, plugin, tokenizer: _, ...row } = options
    const { tokenizer, ids: [ids], stop } = yield* encoded(model, [prompt], options)
    const engine = yield* Effect.tryPromise({
      try: () => engineFor(model, methods, plugin === undefined ? undefined : [plugin]),
      catch: toGenerateError,
    })
    const parts = answer(engine, tokenizer, ids, { ...row, ...plugin === undefined ? {} : { plugin }, stop })
    return Stream.filter(Stream.map(parts, ({ text }) => text), (text) => text !== "")
  }))
}
