import { assert } from "@std/assert"
import { build } from "../../../core/graph/build.ts"
import { accessesOf } from "../../../core/graph/fuse/accesses.ts"
import type { Program } from "../../../core/graph/program.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"

const SIZE = 256

/** The most temporaries of SIZE x SIZE elements that are held at a time. */
function mostLive({ buffers, calls, kernels, outputs }: Program): number {
  const last = new Map<number, number>(), first = new Map<number, number>()
  const use = (buffer: number, call: number) => {
    const { source, size } = buffers[buffer]
    if (source.kind !== "temporary" || size !== SIZE * SIZE) return
    first.set(buffer, Math.min(call, first.get(buffer) ?? call))
    last.set(buffer, call)
  }
  calls.forEach((call, number) => {
    const { reads, writes } = accessesOf(call, kernels)
    for (const buffer of [...reads, ...writes]) use(buffer, number)
  })
  for (const { view } of outputs) use(view.buffer, calls.length)
  return Math.max(
    ...calls.map((_, call) => [...first].filter(([buffer, from]) => from <= call && call <= last.get(buffer)!).length),
  )
}

const outputsOf = (tensors: ReadonlyArray<Tensor>) => Object.fromEntries(tensors.map((x, i) => [`y${i}`, x]))

Deno.test("gradients of small parameters are computed as the backward pass goes, so that activations may go", () => {
  const layers = 8
  const weight = ops.input("weight", [SIZE, SIZE])
  const small = Array.from({ length: layers }, (_, i) => [ops.input(`a${i}`, [SIZE, 4]), ops.input(`b${i}`, [4, SIZE])])
  let x: Tensor = ops.input("x", [SIZE, SIZE])
  for (const [a, b] of small) x = ops.tanh(ops.add(ops.matmul(x, weight), ops.matmul(ops.matmul(x, a), b)))
  const loss = ops.sum(ops.mul(x, x), [0, 1])
  // A division that comes after all of the derivative, as that by the number of terms does.
  const means = gradients(loss, small.flat()).map((gradient) => ops.div(gradient, ops.input("terms", [])))
  const live = mostLive(build({ name: "adapters", outputs: outputsOf(means), updates: [] }))
  assert(live <= layers + 3, `${live} values of ${SIZE} x ${SIZE} for ${layers} layers`)
})

Deno.test("of an activation and its derivative, the value that both follow from is kept", () => {
  const layers = 6
  const weights = [0, 1, 2].map((i) => ops.input(`weight${i}`, [SIZE, SIZE]))
  const deltas = [0, 1, 2].map((i) => ops.input(`delta${i}`, [SIZE, SIZE]))
  const start = ops.input("x", [SIZE, SIZE])
  let x: Tensor = start
  const linear = (x: Tensor, i: number) => ops.add(ops.matmul(x, weights[i]), ops.matmul(x, deltas[i]))
  for (let i = 0; i < layers; i++) x = linear(ops.mul(ops.silu(linear(x, 0)), linear(x, 1)), 2)
  const [gradient] = gradients(ops.sum(x, [0, 1]), [start])
  const live = mostLive(build({ name: "gated", outputs: { gradient }, updates: [] }))
  assert(live <= 3 * layers, `${live} values of ${SIZE} x ${SIZE} for ${layers} layers`)
})
