/**
 * Prompts made from data: examples chosen for each query within a budget of tokens, and a search for the best instruction on a
 * development set. Both are the baselines that a fine-tuning has to beat on the same rows.
 *
 * ```ts
 * import { Espalier } from "@espalier/espalier"
 * import * as Prompts from "@espalier/espalier/prompts"
 * import * as Effect from "effect/Effect"
 *
 * const examples = [
 *   { input: "a joy from start to end", output: "positive" },
 *   { input: "dull and far too long", output: "negative" },
 * ]
 * const format = Prompts.promptFormat({ instruction: "What does the review say?", input: "Review: ", output: "Opinion:" })
 * const search = Prompts.searchInstruction({
 *   propose: Prompts.fragments([["Classify the review.", "Read the review."], ["", "Answer with one word."]]),
 *   score: (instruction, rows) => Effect.succeed(rows.map(() => instruction.length)),
 *   rows: 2,
 *   budget: 8,
 * })
 * const program = Effect.gen(function* () {
 *   const { prompts } = yield* Prompts.fewShot(examples, { choose: Prompts.balanced(Prompts.random()), format })
 *   const [{ text }] = yield* prompts(["what a film"])
 *   console.log(text)
 *   console.log((yield* search).best.instruction)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Espalier.layer)))
 * ```
 *
 * @module
 */
export { balanced } from "./choices/balanced.ts"
export type { Choice, Pool, Ranking } from "./choices/choice.ts"
export { covering } from "./choices/covering.ts"
export { diverse, type DiverseOptions } from "./choices/diverse.ts"
export { random } from "./choices/random.ts"
export { similar } from "./choices/similar.ts"
export { type FewShot, fewShot, type FewShotOptions, type FewShotPrompt } from "./few_shot.ts"
export { byModel, type ByModelOptions, proposalPrompt } from "./instructions/by_model.ts"
export { fragments } from "./instructions/fragments.ts"
export type { Proposer, Proposing, Scored } from "./instructions/proposer.ts"
export {
  type FoundInstruction,
  type InstructionSearch,
  searchInstruction,
  type SearchLimits,
} from "./instructions/search_instruction.ts"
export { bestOf, calibrated, labelScores } from "./label_scores.ts"
export { type Example, type FormatOptions, type PromptFormat, promptFormat } from "./prompt_format.ts"
