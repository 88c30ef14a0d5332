import { assert, assertEquals } from "@std/assert"
import { build } from "../../../core/graph/build.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { interpret } from "../../../core/graph/interpret.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { type Shape, sizeOf } from "../../../core/tensor/shape.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { evaluateAll } from "../../support/evaluate.ts"

/** A random chain of layers over a batch, with parameters of every form; the same for any number of examples. */
function chain(seed: number, examples: number) {
  const rng = makeRng(seed, 5)
  const pick = <A>(items: ReadonlyArray<A>): A => items[rng.int(items.length)]
  const data: Record<string, Float64Array> = {}
  const parameters: Tensor[] = []
  const parameter = (shape: Shape): Tensor => {
    const name = `p${parameters.length}`
    const values = makeRng(seed, 6, parameters.length)
    data[name] = new Float64Array(sizeOf(shape)).map(() => values.float() - 0.4)
    const own = ops.input(name, shape)
    parameters.push(own)
    // Some are used through functions of themselves alone.
    return rng.int(3) === 0 ? ops.tanh(ops.mul(own, ops.add(ops.sum(ops.mul(own, own)), 0.5))) : own
  }
  const shape = [examples, pick([1, 2, 3]), pick([1, 2, 4])]
  let h: Tensor = ops.input("x", shape, { batch: true })
  const shared = parameter([shape[2], shape[2]])
  for (let left = 3 + rng.int(8); left > 0; left--) {
    const [, length, width] = h.shape
    const heads = (x: Tensor) => ops.reshape(x, [examples, 1, length, width])
    h = pick<() => Tensor>([
      () => ops.mul(h, parameter([width])),
      () => ops.add(h, parameter([1, length, width])),
      () => ops.add(h, parameter([rng.int(2) ? 1 : length, rng.int(2) ? 1 : width])),
      () => ops.mul(h, parameter([])),
      () => ops.matmul(h, parameter([width, pick([1, 3, 4])])),
      () => ops.tanh(ops.matmul(h, parameter([pick([1, 3, 4]), width]), { transposeB: true })),
      () => width === shape[2] ? ops.matmul(h, shared) : ops.sigmoid(h),
      () =>
        width === shape[2]
          ? ops.recompute((x) => ops.matmul(ops.tanh(ops.matmul(x, shared)), shared), h)
          : ops.recompute((x) => ops.tanh(ops.mul(x, parameter([width]))), h),
      () => ops.add(h, ops.matmul(parameter([length, length]), h)),
      () => ops.mul(h, ops.mul(parameter([1, rng.int(2) ? 1 : length, 1]), ops.full(0.7, [examples, 1, 1]))),
      () => ops.rmsNorm(h, parameter([width]), 1e-3),
      () => ops.softmax(h),
      () => ops.transpose(h),
      () => ops.reshape(h, [examples, -1, 1]),
      () => ops.flip(h, 2),
      () => ops.causalConvolution(h, parameter([width, 1 + rng.int(3)])),
      () => ops.concat([ops.forBatch(parameter([1, 2, width]), h), h], 1),
      () => {
        const attended = ops.attention(
          heads(h),
          heads(ops.mul(h, parameter([width]))),
          heads(h),
          pick<ops.Visibility>([{}, { causal: true, prefix: Math.min(1, length) }, { window: 2 }]),
          { bias: parameter([1, 1, rng.int(2) ? 1 : length, rng.int(2) ? 1 : length]) },
        )
        return ops.reshape(attended, h.shape)
      },
    ])()
  }
  const losses = ops.sum(ops.reshape(ops.mul(h, h), [examples, -1]), [1])
  return { loss: ops.batchSum(losses), parameters, data, shape }
}

Deno.test("per-example derivatives of random chains are those of each example alone", () => {
  for (let seed = 0; seed < 80; seed++) {
    const single = chain(seed, 1)
    const alone = gradients(single.loss, single.parameters)
    for (const examples of [1, 3]) {
      const { loss, parameters, data, shape } = chain(seed, examples)
      const found = gradients(loss, parameters, { perExample: true })
      const outputs = Object.fromEntries(found.map((gradient, i) => [`p${i}`, gradient]))
      const x = new Float64Array(sizeOf(shape)).map((_, i) => Math.sin(1.7 * i + seed))
      const ran = interpret(build({ name: "per example", outputs, updates: [] }), new Map(), { ...data, x })
      const each = x.length / examples
      for (let b = 0; b < examples; b++) {
        const own = evaluateAll(alone, { inputs: { ...data, x: x.subarray(b * each, b * each + each) } })
        own.forEach((expected, i) => {
          assertEquals(ran[`p${i}`].length, examples * expected.length)
          expected.forEach((value, j) => {
            const got = ran[`p${i}`][b * expected.length + j]
            assert(Math.abs(got - value) <= 1e-9 * (1 + Math.abs(value)), `seed ${seed}, p${i}: ${got}, not ${value}`)
          })
        })
      }
    }
  }
})
