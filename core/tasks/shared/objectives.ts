import type { ExampleLoss, Objective } from "../../contracts/objective.ts"
import { crossEntropy, less, sub, sum } from "../../tensor/ops.ts"

/** Cross-entropy of one label an example: logits [B, classes], labels [B]. Every labelled example weighs 1. */
export const perExample: Objective = ({ batch: { fields: { labels } }, outputs }): ExampleLoss => ({
  loss: crossEntropy(outputs.logits, labels),
  weight: sub(1, less(labels, 0)),
})

/**
 * Cross-entropy of each token's label: logits [B, T, classes], labels [B, T]. Every unmasked token weighs 1. A packed row
 * gives one sum.
 */
export const perToken: Objective = ({ batch: { fields: { labels } }, outputs }): ExampleLoss => ({
  loss: sum(crossEntropy(outputs.logits, labels), [1]),
  weight: sum(sub(1, less(labels, 0)), [1]),
})
