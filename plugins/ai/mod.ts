/**
 * Models that were trained here, as the services of `effect/ai`: any Effect program asks them by schema.
 *
 * ```ts
 * import { Model, Task, Tokenizer } from "@espalier/espalier"
 * import * as Ai from "@espalier/espalier/ai"
 * import * as Chat from "@espalier/espalier/chat"
 * import { LanguageModel } from "effect/ai"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * export const Person = Schema.Struct({ name: Schema.String, age: Schema.Int })
 * export const ask = Effect.map(
 *   LanguageModel.generateObject({ prompt: "Invent a person.", schema: Person }),
 *   ({ value }) => `${value.name} is ${value.age}`,
 * )
 *
 * export const model = Layer.unwrap(Effect.gen(function* () {
 *   const directory = "models/chat"
 *   const model = yield* Model.load(directory, { task: Task.causalLM() })
 *   const [engine, tokenizer] = [yield* Model.engine(model), yield* Tokenizer.loadTokenizer(directory)]
 *   return Ai.languageModel({ engine, tokenizer, chat: yield* Chat.load(directory), maxNewTokens: 200 })
 * }))
 *
 * export const answered = Effect.provide(ask, model)
 * ```
 *
 * @module
 */
export { decisionModel } from "./decision_model.ts"
export { languageModel, type LanguageModelOptions } from "./language_model.ts"
