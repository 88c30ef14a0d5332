/**
 * What a family asks of a batch, whichever way its examples lie: B rows [B, T] padded on the right, or one packed row
 * [1, N]. Of padded rows it is told by lengths and coordinates, of a packed row by the batch's own tables.
 * @module
 */
import type { BatchTensors, PackedRow } from "../contracts/objective.ts"
import * as ops from "../tensor/ops.ts"
import { ShapeError } from "../tensor/shape_error.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Decoding } from "./module.ts"

/**
 * Positions of the tokens and of `rows` that come before them, from position `first` on: i32 [1, rows + T], or [1, N] of a
 * packed row, where they start anew for each example.
 */
export function positionsOf({ tokens, packed }: BatchTensors, rows = 0, first = 0): Tensor {
  const length = tokens.shape[1]
  if (packed === undefined) return ops.add(ops.iota([1, rows + length], 1), first)
  checkAlone(packed, length + rows + first)
  return packed.positions
}

/**
 * Keys that queries see in both directions: f32 [B, 1, keys], or [1, N, N] of a packed row.
 *
 * @param before How many of the keys come before the tokens; all see them.
 */
export function visibleKeys({ lengths, packed }: BatchTensors, keys: number, before = 0): Tensor {
  if (packed !== undefined) return ofSameExample(packed, keys)
  return ops.less(ops.iota([1, 1, keys], 2), ops.add(ops.reshape(lengths, [-1, 1, 1]), before))
}

/**
 * Keys that queries see where none looks ahead: f32 [1 or B, queries, keys]. Padding lies on the right, so it is hidden from
 * every token that counts.
 *
 * @param before How many of the keys come before the first query's own, those in memory aside.
 */
export function causalKeys(
  { packed }: BatchTensors,
  queries: number,
  keys: number,
  before = 0,
  decoding?: Decoding,
): Tensor {
  const own = ops.add(ops.iota([1, queries, 1], 1), before)
  const last = decoding === undefined || decoding.first ? own : ops.add(own, ops.reshape(decoding.start, [-1, 1, 1]))
  const mask = ops.lessEqual(ops.iota([1, 1, keys], 2), last)
  return packed === undefined ? mask : ops.mul(mask, ofSameExample(packed, keys))
}

/**
 * Numbers [B, heads, T, keys] for queries and the keys that they see, made by `draw` for a number of keys. In a packed row
 * keys that are further apart than the longest example share theirs: no query sees two of them.
 */
export function perVisibleKey({ packed }: BatchTensors, keys: number, draw: (keys: number) => Tensor): Tensor {
  if (packed === undefined || packed.longest >= keys) return draw(keys)
  const part = draw(packed.longest)
  const [batch, heads, queries, width] = part.shape
  const times = Math.ceil(keys / width)
  const apart = ops.expand(ops.reshape(part, [batch, heads, queries, 1, width]), [batch, heads, queries, times, width])
  return ops.narrow(ops.reshape(apart, [batch, heads, queries, times * width]), 3, 0, keys)
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

/** [1, N, H] at places [B]: [B, 1, H]. */
function rowsAt(hidden: Tensor, places: Tensor): Tensor {
  const [, length, width] = hidden.shape
  return ops.reshape(ops.gather(ops.reshape(hidden, [length, width]), places), [places.shape[0], 1, width])
}

/** Whether two tokens are of one example: f32 [1, N, N]. */
function ofSameExample(packed: PackedRow, keys: number): Tensor {
  checkAlone(packed, keys)
  return ops.equal(ops.reshape(packed.segments, [1, -1, 1]), ops.reshape(packed.segments, [1, 1, -1]))
}

function checkAlone({ segments }: PackedRow, places: number): void {
  const length = segments.shape[1]
  if (places === length) return
  throw new ShapeError({
    message: `Nothing can come before the ${length} tokens of a packed row: got ${places} places`,
  })
}
