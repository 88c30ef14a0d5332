/**
 * Answers that rest on documents: any model here embeds them, an index finds passages, a language model answers from them and
 * names its sources. Checks without a model say how answers agree with their evidence, before and after a training.
 *
 * ```ts
 * import { Espalier, Model, Task } from "@espalier/espalier"
 * import * as Llama from "@espalier/espalier/llama"
 * import * as Retrieval from "@espalier/espalier/retrieval"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const documents = [
 *   { source: "opening.txt", text: "The museum opens at nine. It is closed on Mondays." },
 *   { source: "prices.txt", text: "A ticket costs eight euros. Children pay half." },
 * ]
 * const program = Effect.gen(function* () {
 *   const model = yield* Model.load("examples/models/espalier-1m", { task: Task.causalLM(), frozen: true })
 *   const index = yield* Retrieval.index(Retrieval.encoder(model), documents)
 *   const [{ text, passages }] = yield* Retrieval.answer(model, index, ["When does it open?"], { count: 1, maxNewTokens: 8 })
 *   console.log(text, passages[0].source)
 * })
 *
 * const Main = Llama.layer.pipe(Layer.provideMerge(Espalier.layer))
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Main)))
 * ```
 *
 * @module
 */
export { answer, type AnswerOptions, type GroundedAnswer } from "./answer.ts"
export { type EncodedAs, type Encoder, encoder, type EncoderOptions, loadEncoder } from "./encoder.ts"
export { type Agreement, agreement, type AgreementMeasure, type Drift, drift, driftSection } from "./facts/agreement.ts"
export type { Fact, FactCheck, Judgement } from "./facts/fact_check.ts"
export { finalNumber, type NumberQuestion, numbers, type NumbersOptions } from "./facts/numbers.ts"
export { restaurants } from "./facts/restaurants.ts"
export { names, type Said, type Slots, slots, slotsOf, type SlotTable, type SlotValue } from "./facts/slots.ts"
export { namedNumbers, numberedPrompt, type PromptOf } from "./numbered_prompt.ts"
export {
  type Found,
  index,
  type IndexOptions,
  type PassageIndex,
  search,
  type SearchOptions,
  vectorsOf,
} from "./passage_index.ts"
export { type Document, type Passage, type PassageOptions, passagesOf } from "./passages.ts"
export { factReview, type FactReviewOptions } from "./review.ts"
export { approximate, type ApproximateOptions, type UsearchIndex } from "./search/approximate.ts"
export { exact } from "./search/exact.ts"
export type { Near, VectorIndex, Vectors, VectorSearch } from "./search/vector_search.ts"
export { open, type OpenIndexOptions, save } from "./store.ts"
export type { EmbedError } from "../../core/training/embed.ts"
export type { SentenceModulesError } from "../../core/training/pooling/sentence_modules.ts"
