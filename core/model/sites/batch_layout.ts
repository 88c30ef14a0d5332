/**
 * What a family asks of a batch, whichever way its examples lie: B rows [B, T] padded on the right, or one packed row
 * [1, N]. Of padded rows it is told by lengths and coordinates, of a packed row by the batch's own tables.
 * @module
 */
import type { BatchTensors, PackedRow } from "../../contracts/objective.ts"
import type { Visibility } from "../../tensor/composites/visibility.ts"
import * as ops from "../../tensor/ops.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Decoding } from "../module.ts"

/**
 * Positions of the tokens and of `rows` that come before them, from position `first` on: i32 [1, rows + T], of tokens that
 * follow a cache [B, T], or [1, N] of a packed row, where they start anew for each example.
 */
export function positionsOf(
  { tokens, packed }: BatchTensors,
  { rows, first, decoding }: { readonly rows: number; readonly first: number; readonly decoding: Decoding | undefined },
): Tensor {
  const length = tokens.shape[1]
  if (packed === undefined) {
    const positions = ops.add(ops.iota([1, rows + length], 1), first)
    return decoding === undefined || decoding.first
      ? positions
      : ops.add(positions, ops.reshape(decoding.start, [-1, 1]))
  }
  checkAlone(packed, length + rows + first)
  return packed.positions
}

/** How a model's tokens see each other. */
export interface KeysSeen {
  /** Whether a token sees no later ones. */
  readonly causal: boolean
  /** Distance from which on tokens are hidden. Default: none. */
  readonly window?: number | undefined
  /** How many of the keys come before the tokens; all see them. */
  readonly prefix: number
  /** The cache that the keys come from. */
  readonly decoding: Decoding | undefined
}

/**
 * Keys that queries see: those of their own example. Padding lies on the right, so where none looks ahead it is hidden
 * from every token that counts.
 */
export function visibleKeys({ lengths, packed }: BatchTensors, seen: KeysSeen): Visibility {
  const { causal, window, prefix, decoding } = seen
  return {
    causal,
    prefix,
    ...(window === undefined ? {} : { window }),
    ...(decoding === undefined || decoding.first ? {} : { queryStart: decoding.start }),
    ...(packed !== undefined ? { segments: segmentsOf(packed, prefix) } : causal ? {} : { keyLengths: lengths }),
  }
}

/**
 * A factor of attention for queries and the keys that they see, made by `draw` for a number of keys. In a packed row it
 * repeats after as many keys as the longest example has: no query sees two keys that share a column.
 */
export function perVisibleKey({ packed }: BatchTensors, keys: number, draw: (keys: number) => Tensor): Tensor {
  return draw(packed === undefined ? keys : Math.min(packed.longest, keys))
}

/**
 * Number of the row's places that belong to each place's example and lie before it, i32 [1, N], where several examples lie in
 * a row; undefined where none do.
 *
 * @param places Places of the row.
 */
export function placesInExample({ packed }: BatchTensors, places: number): Tensor | undefined {
  if (packed !== undefined) checkAlone(packed, places)
  return packed?.positions
}

/** What stands in the first place of each example, be it a token or a row before them: [B, T, H] or [1, N, H] to [B, 1, H]. */
export function firstOf(hidden: Tensor, { packed }: BatchTensors): Tensor {
  return packed === undefined ? ops.narrow(hidden, 1, 0, 1) : rowsAt(hidden, packed.first)
}

/** The hidden state of each example's last token: [B, T, H] or [1, N, H] to [B, 1, H]. */
export function lastOf(hidden: Tensor, { lengths, packed }: BatchTensors): Tensor {
  if (packed !== undefined) return rowsAt(hidden, packed.last)
  const [batch, length] = hidden.shape
  if (length === 1) return hidden
  const last = ops.reshape(ops.sub(lengths, 1), [batch, 1, 1])
  return ops.sum(ops.where(ops.equal(ops.iota([1, length, 1], 1), last), hidden, 0), [1], { keepDims: true })
}

/** The mean of each example's places, tokens and rows before them: [B, P + T, H] or [1, N, H] to [B, 1, H]. */
export function meanOf(all: Tensor, { tokens, lengths, packed }: BatchTensors): Tensor {
  const [, places, width] = all.shape
  const [batch] = lengths.shape
  // An example that only fills the batch may have none.
  const counts = ops.reshape(ops.max(ops.add(lengths, places - tokens.shape[1]), 1), [batch, 1, 1])
  const own = packed === undefined
    ? ops.less(ops.iota([1, places, 1], 1), counts)
    : ops.equal(ops.reshape(packed.segments, [1, places]), ops.iota([batch, 1], 0))
  const sums = packed === undefined
    ? ops.sum(ops.mul(all, own), [1], { keepDims: true })
    : ops.reshape(ops.matmul(own, ops.reshape(all, [places, width])), [batch, 1, width])
  return ops.div(sums, ops.toFloat(counts))
}

/** The `count` places of each row up to its last token, of rows with `count` more places before them: [B, count + T, H]. */
export function endOf(whole: Tensor, { lengths }: BatchTensors, count: number): Tensor {
  const [batch, places, width] = whole.shape
  if (places === count + 1) return ops.narrow(whole, 1, 1, places)
  const first = ops.add(ops.mul(ops.iota([batch, 1], 0), places), ops.reshape(lengths, [batch, 1]))
  const at = ops.add(first, ops.iota([1, count], 1))
  return ops.gather(ops.reshape(whole, [batch * places, width]), at)
}

/** [1, N, H] at places [B]: [B, 1, H]. */
function rowsAt(hidden: Tensor, places: Tensor): Tensor {
  const [, length, width] = hidden.shape
  return ops.reshape(ops.gather(ops.reshape(hidden, [length, width]), places), [places.shape[0], 1, width])
}

function segmentsOf(packed: PackedRow, prefix: number): Tensor {
  checkAlone(packed, packed.segments.shape[1] + prefix)
  return packed.segments
}

function checkAlone({ segments }: PackedRow, places: number): void {
  const length = segments.shape[1]
  if (places === length) return
  throw new ShapeError({
    message: `Nothing can come before the ${length} tokens of a packed row: got ${places} places`,
  })
}
