/**
 * Float64 reference of `attention_gradient`.
 * @module
 */
import { elementAt, placeOf, scoresOf, sees } from "../attention/reference.ts"
import type { ReferenceBuffers } from "../body_reference.ts"
import type { AttentionGradientCall } from "./call.ts"
import { forEachPlace } from "../view.ts"

/** Carries out an `attention_gradient` call on float64 buffers. */
export const attentionGradientReference = (call: AttentionGradientCall, buffers: ReferenceBuffers): void => {
  const { q, k, v, factor, scale, logSum, cotangent, delta, dq, dk, dv } = call
  for (const view of [dq, dk, dv]) {
    if (view) forEachPlace(view.shape, [view], ([at]) => buffers[view.buffer][at] = 0)
  }
  const [, , keys, width] = k.shape
  forEachPlace(q.shape.slice(0, 4), [], (_, place) => {
    const [batch, shared, , t] = place
    const scores = scoresOf(call, buffers, place)
    for (let s = 0; s < keys; s++) {
      const power = Math.exp(scores[s] - elementAt(buffers, logSum, ...place))
      const times = factor ? elementAt(buffers, factor, ...place, s % factor.shape[4]) : 1
      let toWeight = 0
      for (let e = 0; e < v.shape[3]; e++) {
        const share = elementAt(buffers, cotangent, ...place, e)
        toWeight += share * elementAt(buffers, v, batch, shared, s, e)
        if (dv) buffers[dv.buffer][placeOf(dv, [batch, shared, s, e])] += power * times * share
      }
      if (!sees(call, buffers, batch, t, s)) continue
      const toScore = scale * power * (toWeight * times - elementAt(buffers, delta, ...place))
      for (let d = 0; d < width; d++) {
        if (dq) buffers[dq.buffer][placeOf(dq, [...place, d])] += toScore * elementAt(buffers, k, batch, shared, s, d)
        if (dk) {
          buffers[dk.buffer][placeOf(dk, [batch, shared, s, d])] += toScore * elementAt(buffers, q, ...place, d)
        }
      }
    }
  })
}
