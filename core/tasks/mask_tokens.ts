import type { BatchTensors } from "../contracts/objective.ts"
import {
  equal,
  floor,
  gather,
  iota,
  less,
  lessEqual,
  max,
  maximum,
  mul,
  neg,
  reshape,
  toInt,
  uniform,
  where,
} from "../tensor/ops.ts"
import type { Tensor } from "../tensor/tensor.ts"

/** What {@link maskTokens} needs of the tokenizer and the model. */
export interface MaskingOptions {
  /** Id of the mask token. */
  readonly maskId: number
  /** Number of token ids. */
  readonly vocabSize: number
}

/** Share of the tokens that are to be found out. */
const RATE = 0.15
/** Salts of the choice of places, of what is put there, and of random tokens. */
const CHOICE = 0x6d61736b, KIND = CHOICE + 1, TOKEN = CHOICE + 2

/**
 * Hides tokens anew in each step (Devlin et al. 2018; drawn anew as in Liu et al. 2019). `labels` [B, T] hold each token
 * that may be chosen. 15 % are, and of each example at least one: of those 80 % become the mask token, 10 % a random one,
 * 10 % stay. Labels of all others are masked. An example's choice does not depend on the other ones.
 */
export function maskTokens(
  batch: BatchTensors,
  key: readonly [Tensor, Tensor],
  { maskId, vocabSize }: MaskingOptions,
): BatchTensors {
  const { tokens, fields: { labels } } = batch
  const drawn = (salt: number) => uniform(tokens.shape, salt, key)
  const draw = where(less(labels, 0), 2, drawn(CHOICE))
  const least = leastOf(batch, draw)
  // Without any token to choose, all draws are 2.
  const chosen = mul(lessEqual(draw, max(least, RATE)), less(draw, 2))
  const kind = drawn(KIND)
  const random = toInt(floor(mul(drawn(TOKEN), vocabSize)))
  const hidden = where(less(kind, 0.8), maskId, where(less(kind, 0.9), random, tokens))
  return { ...batch, tokens: where(chosen, hidden, tokens), fields: { labels: where(chosen, labels, -100) } }
}

/** The least draw of each token's example: [B, 1], or [1, N] of a packed row. */
function leastOf({ lengths, packed }: BatchTensors, draw: Tensor): Tensor {
  const least = (draws: Tensor) => neg(maximum(neg(draws), [1], { keepDims: true }))
  if (packed === undefined) return least(draw)
  // Padding counts as one example more.
  const own = equal(packed.segments, iota([lengths.shape[0] + 1, 1], 0))
  return reshape(gather(least(where(own, draw, 2)), packed.segments), draw.shape)
}
