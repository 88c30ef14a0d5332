import type { MatmulCall, View } from "../contract.ts"

/** Evaluates a product in float64; `buffers` are the program's, by number, and the output's is written. */
export const matmulReference = (call: MatmulCall, buffers: readonly Float64Array[]): void => {
  const rank = call.output.shape.length - 2
  const [m, n] = call.output.shape.slice(rank)
  const k = call.a.shape[rank + 1]
  const batch = call.output.shape.slice(0, rank)
  const count = batch.reduce((product, extent) => product * extent, 1)
  const [a, b, output] = [call.a, call.b, call.output].map((view) => buffers[view.buffer])
  for (let entry = 0; entry < count; entry++) {
    const start = (view: View): number => {
      let [rest, at] = [entry, view.offset]
      for (let axis = rank - 1; axis >= 0; axis--) {
        at += (rest % batch[axis]) * view.strides[axis]
        rest = Math.floor(rest / batch[axis])
      }
      return at
    }
    const [a0, b0, output0] = [start(call.a), start(call.b), start(call.output)]
    const [am, ak] = call.a.strides.slice(rank)
    const [bk, bn] = call.b.strides.slice(rank)
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let l = 0; l < k; l++) sum += a[a0 + i * am + l * ak] * b[b0 + l * bk + j * bn]
        output[output0 + i * call.output.strides[rank] + j] = sum
      }
    }
  }
}
