/**
 * Float64 reference of `attention`.
 * @module
 */
import { HIDDEN, NOTHING } from "../../core/tensor/composites/attention.ts"
import type { ReferenceBuffers } from "../body_reference.ts"
import type { View } from "../contract.ts"
import type { AttentionCall } from "./call.ts"
import { forEachPlace } from "../view.ts"

/** An element of a view. */
export const elementAt = (buffers: ReferenceBuffers, view: View, ...index: ReadonlyArray<number>): number =>
  buffers[view.buffer][placeOf(view, index)]

/** Where an element of a view lies. */
export const placeOf = ({ offset, strides }: View, index: ReadonlyArray<number>): number =>
  index.reduce((at, i, axis) => at + i * strides[axis], offset)

/** Scores of one query: hidden ones are {@link HIDDEN}. */
export const scoresOf = (
  { q, k, mask, scale }: Pick<AttentionCall, "q" | "k" | "mask" | "scale">,
  buffers: ReferenceBuffers,
  [batch, shared, member, t]: ReadonlyArray<number>,
): Array<number> => {
  const [, , keys, width] = k.shape
  return Array.from({ length: keys }, (_, s) => {
    if (elementAt(buffers, mask, batch, t, s) === 0) return HIDDEN
    let sum = 0
    for (let d = 0; d < width; d++) {
      sum += elementAt(buffers, q, batch, shared, member, t, d) * elementAt(buffers, k, batch, shared, s, d)
    }
    return sum * scale
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
          sum + power / total * (factor ? elementAt(buffers, factor, ...place, s) : 1) *
            elementAt(buffers, v, place[0], place[1], s, e),
        0,
      )
    }
    if (logSum) buffers[logSum.buffer][placeOf(logSum, place)] = blind ? NOTHING : top + Math.log(total)
  })
}
