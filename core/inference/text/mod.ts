/**
 * Answers of a language model: texts that come token by token from an engine, with probabilities, stop strings, and held to a
 * JSON Schema or to one of some texts.
 *
 * ```ts
 * import { Model, Task, Tokenizer } from "@espalier/espalier"
 * import { answer, answered, jsonSchema } from "@espalier/espalier/answer"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * export const program = Effect.gen(function* () {
 *   const model = yield* Model.load("models/chat", { task: Task.causalLM() })
 *   const tokenizer = yield* Tokenizer.loadTokenizer("models/chat")
 *   const engine = yield* Model.engine(model)
 *
 *   const parts = answer(engine, tokenizer, "Once upon a time", { maxNewTokens: 50, stopStrings: ["\n\n"] })
 *   yield* Stream.runForEach(parts, ({ text, end }) => Effect.sync(() => console.log(text, end?.reason ?? "")))
 *
 *   const person = { type: "object", properties: { name: { type: "string" } }, required: ["name"] }
 *   const schema = yield* jsonSchema(tokenizer, person)
 *   const { text } = yield* answered(engine, tokenizer, "A person: ", { constraint: schema.constraint() })
 *   console.log(JSON.parse(text))
 * })
 * ```
 *
 * @module
 */
export type { Engine, EngineOptions, NewToken, RowOptions } from "../engine.ts"
export { AdapterError, type AdapterErrorFields } from "../../contracts/bank/adapter_error.ts"
export type { GenerateError } from "../generate.ts"
export type { SamplingOptions } from "../sampler.ts"
export type { Alternative, ProbabilityOptions, TokenProbabilities } from "../token_probabilities.ts"
export { choice } from "../constraints/choice.ts"
export type { Constraint } from "../constraints/constraint.ts"
export type { Grammar, GrammarOptions } from "../constraints/grammar.ts"
export { GrammarError, type GrammarErrorFields } from "../constraints/grammar_error.ts"
export { jsonSchema } from "../constraints/schema/json_schema.ts"
export { type TextForm, textForm } from "../constraints/text_form.ts"
export { nextLogits } from "../scoring/next_logits.ts"
export { type RankedText, type RankOptions, rankTexts } from "../scoring/rank_texts.ts"
export { type ScoredToken, type ScoreOptions, scoreTokens } from "../scoring/score_tokens.ts"
export { tokenBytes } from "../constraints/token_bytes.ts"
export { type Answer, answer, answered, type AnswerEnd, type AnswerOptions, type AnswerPart } from "./answer.ts"
export { endTokens } from "./end_tokens.ts"
