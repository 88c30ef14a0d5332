/**
 * Float64 reference of `attention`.
 * @module
 */
import { HIDDEN, NOTHING } from "../../core/tensor/composites/attention.ts"
import type { ReferenceBuffers } from "../body_reference.ts"
import type { View } from "../contract.ts"
import { forEachPlace } from "../view.ts"
import { type AttentionCall, type AttentionOperands, keysOf, type Visibility } from "./call.ts"

/** An element of a view. */
export const elementAt = (buffers: ReferenceBuffers, view: View, ...index: ReadonlyArray<number>): number =>
  buffers[view.buffer][placeOf(view, index)]

/** An element of a key or a value, which lies in a page or in a row of its own. */
const atKey = (
  { pages }: Pick<AttentionOperands, "pages">,
  buffers: ReferenceBuffers,
  view: View,
  [batch, shared, key, d]: ReadonlyArray<number>,
): number => {
  if (pages === undefined) return elementAt(buffers, view, batch, shared, key, d)
  const size = view.shape[2]
  return elementAt(buffers, view, elementAt(buffers, pages, batch, Math.floor(key / size)), shared, key % size, d)
}

/** Where an element of a view lies. */
export const placeOf = ({ offset, strides }: View, index: ReadonlyArray<number>): number =>
  index.reduce((at, i, axis) => at + i * strides[axis], offset)

/** Whether a query sees a key. */
export const sees = (
  { prefix, causal, window = Infinity, queryPositions, keyLengths, segments }: Visibility,
  buffers: ReferenceBuffers,
  batch: number,
  t: number,
  key: number,
): boolean => {
  const j = key - prefix
  if (j < 0) return true
  const p = queryPositions === undefined ? t : elementAt(buffers, queryPositions, batch, t)
  if (causal && j > p || Math.abs(p - j) >= window) return false
  if (keyLengths !== undefined && j >= elementAt(buffers, keyLengths, batch)) return false
  if (segments === undefined) return true
  const [own, other] = [Math.max(0, Math.min(p, segments.shape[1] - 1)), j].map((at) =>
    elementAt(buffers, segments, batch, at)
  )
  return own === other
}

/** Scores of one query: hidden ones are {@link HIDDEN}. */
export const scoresOf = (
  call: AttentionOperands,
  buffers: ReferenceBuffers,
  [batch, shared, member, t]: ReadonlyArray<number>,
): Array<number> => {
  const { q, k, bias, scale } = call
  const width = k.shape[3], keys = keysOf(call)
  return Array.from({ length: keys }, (_, s) => {
    if (!sees(call, buffers, batch, t, s)) return HIDDEN
    let sum = 0
    for (let d = 0; d < width; d++) {
      sum += elementAt(buffers, q, batch, shared, member, t, d) * atKey(call, buffers, k, [batch, shared, s, d])
    }
    return sum * scale + (bias ? elementAt(buffers, bias, batch, shared, member, t, s) : 0)
  })
}

/** Carries out an `attention` call on float64 buffers. */
export const attentionReference = (call: AttentionCall, buffers: ReferenceBuffers): void => {
  const { v, factor, output, logSum } = call
  const width = v.shape[3]
  forEachPlace(output.shape.slice(0, 4), [], (_, place) => {
    const scores = scoresOf(call, buffers, place)
    const top = scores.reduce((a, b) => Math.max(a, b), -Infinity)
    const powers = scores.map((score) => Math.exp(score - top))
    // A query that sees nothing has no weights.
    const blind = top === HIDDEN || scores.length === 0
    const total = blind ? Infinity : powers.reduce((a, b) => a + b, 0)
    for (let e = 0; e < width; e++) {
      buffers[output.buffer][placeOf(output, [...place, e])] = powers.reduce(
        (sum, power, s) =>
          sum + power / total * (factor ? elementAt(buffers, factor, ...place, s % factor.shape[4]) : 1) *
            atKey(call, buffers, v, [place[0], place[1], s, e]),
        0,
      )
    }
    if (logSum) buffers[logSum.buffer][placeOf(logSum, place)] = blind ? NOTHING : top + Math.log(total)
  })
}
