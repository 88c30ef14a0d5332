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

/** Token ids for {@link maskTokens}. */
export interface MaskingOptions {
  /** Id of the mask token. */
  readonly maskId: number
  /** Number of token ids. */
  readonly vocabSize: number
}

/** Share of the tokens that are predicted. */
const RATE = 0.15
/** Salts of the draws: which tokens, what replaces them, random tokens. */
const CHOICE = 0x6d61736b, KIND = CHOICE + 1, TOKEN = CHOICE + 2

/**
 * Masks tokens (Devlin et al. 2018), with a new draw in each step (Liu et al. 2019). `labels` [B, T] hold the tokens that may be
 * chosen. 15 % are, at least one an example: 80 % of them become the mask token, 10 % a random one, 10 % stay. All other
 * labels are masked. The draw of an example does not depend on the others.
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
  // All draws are 2 if there is no token to choose.
  const chosen = mul(lessEqual(draw, max(least, RATE)), less(draw, 2))
  const kind = drawn(KIND)
  const random = toInt(floor(mul(drawn(TOKEN), vocabSize)))
  const hidden = where(less(kind, 0.8), maskId, where(less(kind, 0.9), random, tokens))
  return { ...batch, tokens: where(chosen, hidden, tokens), fields: { labels: where(chosen, labels, -100) } }
}

/** The smallest draw of each token's example: [B, 1], or [1, N] for a packed row. */
function leastOf({ lengths, packed }: BatchTensors, draw: Tensor): Tensor {
  const least = (draws: Tensor) => neg(maximum(neg(draws), [1], { keepDims: true }))
  if (packed === undefined) return least(draw)
  // Padding is one more segment.
  const own = equal(packed.segments, iota([lengths.shape[0] + 1, 1], 0))
  return reshape(gather(least(where(own, draw, 2)), packed.segments), draw.shape)
}
