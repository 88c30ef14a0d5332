/**
 * From the hidden states of a text's tokens to one embedding.
 * @module
 */
import type { BatchTensors } from "../../contracts/objective.ts"
import { firstOf, lastOf } from "../../model/sites/batch_layout.ts"
import { div, iota, less, mul, reshape, sum, toFloat } from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** What of the tokens is taken: hidden states [B, T, width] to [B, width]. */
export type Pooling = (hidden: Tensor, batch: BatchTensors) => Tensor

const flat = (x: Tensor): Tensor => reshape(x, [x.shape[0], x.shape[2]])

/** The mean over all tokens, without padding. */
export const meanOfTokens: Pooling = (hidden, batch) => {
  const [rows, length] = hidden.shape
  const lengths = reshape(batch.lengths, [rows, 1])
  const mask = reshape(less(iota([1, length], 1), lengths), [rows, length, 1])
  return div(sum(mul(hidden, mask), [1]), toFloat(lengths))
}

/** By the names that sentence-transformers has for them. */
export const POOLINGS: Readonly<Record<string, Pooling>> = {
  mean: meanOfTokens,
  mean_tokens: meanOfTokens,
  cls: (hidden, batch) => flat(firstOf(hidden, batch)),
  cls_token: (hidden, batch) => flat(firstOf(hidden, batch)),
  lasttoken: (hidden, batch) => flat(lastOf(hidden, batch)),
}
