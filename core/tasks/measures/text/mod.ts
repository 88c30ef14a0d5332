/**
 * Scores of texts that a model writes, beside those that were expected: for `Trainer.evaluateTexts`, and by themselves.
 *
 * ```ts
 * import { bleu, exactMatch, rouge, tokenF1 } from "@espalier/espalier/text-metrics"
 *
 * const texts = ["the cat sat on the mat"]
 * const references = [["a cat sat on the mat", "the cat lay on the mat"]]
 * for (const metric of [rouge(), bleu(), exactMatch(), tokenF1()]) console.log(metric.score(texts, references))
 * ```
 *
 * @module
 */
export { exactMatch, tokenF1 } from "./answers.ts"
export { bleu } from "./bleu.ts"
export { rouge } from "./rouge.ts"
export type { TextMetric } from "./text_metric.ts"
