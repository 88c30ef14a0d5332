/**
 * The small step on Espalier, its wasm backend: one program for loss, gradients and AdamW.
 * @module
 */
import * as Effect from "effect/Effect"
import { Backend, type Slot } from "../../../core/backend/backend.ts"
import { layer } from "../../../core/backend/wasm/backend.ts"
import { build, type Graph } from "../../../core/graph/build.ts"
import { gradients } from "../../../core/graph/gradients.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { batch, initialParameters, model, optimizer, parameterShapes, serve } from "../small_step.ts"

const { width, heads, layers, rows, tokens } = model

/** The step's graph over slots for parameters and AdamW's two moments. */
export function smallStep(allocate: (name: string, shape: ReadonlyArray<number>) => Slot): Graph & {
  readonly parameters: ReadonlyMap<string, Slot>
} {
  const parameters = new Map(parameterShapes.map(([name, shape]) => [name, allocate(name, shape)]))
  const p = (name: string): Tensor => leaf.get(name)!
  const leaf = new Map([...parameters].map(([name, slot]) => [name, ops.slot(slot)]))
  const linear = (x: Tensor, name: string) => ops.add(ops.matmul(x, p(`${name}.weight`)), p(`${name}.bias`))
  const norm = (x: Tensor, name: string) => ops.layerNorm(x, p(`${name}.weight`), p(`${name}.bias`), 1e-5)
  const ids = ops.input("inputs", [rows, tokens], { dtype: "i32", batch: true })
  const targets = ops.input("targets", [rows, tokens], { dtype: "i32", batch: true })
  const mask = ops.lessEqual(ops.iota([1, 1, tokens], 2), ops.iota([1, tokens, 1], 1))

  let h = ops.add(ops.gather(p("embedding"), ids), p("position"))
  for (let layer = 0; layer < layers; layer++) {
    const at = `layer.${layer}`
    const qkv = linear(norm(h, `${at}.norm1`), `${at}.qkv`)
    const [q, k, v] = [0, 1, 2].map((part) => {
      const own = ops.narrow(qkv, 2, part * width, (part + 1) * width)
      return ops.permute(ops.reshape(own, [rows, tokens, heads, width / heads]), [0, 2, 1, 3])
    })
    const mixed = ops.reshape(ops.permute(ops.attention(q, k, v, mask), [0, 2, 1, 3]), [rows, tokens, width])
    h = ops.add(h, linear(mixed, `${at}.out`))
    h = ops.add(h, linear(ops.geluTanh(linear(norm(h, `${at}.norm2`), `${at}.up`)), `${at}.down`))
  }
  const logits = ops.matmul(norm(h, "norm"), p("head"))
  const loss = ops.mean(ops.crossEntropy(logits, targets))

  const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer
  const [c1, c2] = [ops.input("c1", []), ops.input("c2", [])]
  const names = [...parameters.keys()]
  const found = gradients(loss, names.map(p))
  const updates = names.flatMap((name, i): [Slot, Tensor][] => {
    const slot = parameters.get(name)!
    const [m, v] = ["m", "v"].map((moment) => allocate(`${name}.${moment}`, slot.shape))
    const g = found[i]
    const m2 = ops.add(ops.mul(ops.slot(m), beta1), ops.mul(g, 1 - beta1))
    const v2 = ops.add(ops.mul(ops.slot(v), beta2), ops.mul(ops.mul(g, g), 1 - beta2))
    const move = ops.div(ops.div(m2, c1), ops.add(ops.sqrt(ops.div(v2, c2)), epsilon))
    const decayed = ops.mul(p(name), 1 - learningRate * weightDecay)
    return [[slot, ops.sub(decayed, ops.mul(move, learningRate))], [m, m2], [v, v2]]
  })
  return { name: "small step", outputs: { loss }, updates, parameters }
}

if (import.meta.main) {
  const program = Effect.gen(function* () {
    const backend = yield* Backend
    const graph = smallStep(backend.allocate)
    const initial = initialParameters()
    yield* Effect.promise(async () => {
      for (const [name, slot] of graph.parameters) await backend.write(slot, initial.get(name)!)
      const step = await backend.compile(build(graph))
      const data = batch()
      let t = 0
      await serve(async () => {
        t++
        const c1 = Float32Array.of(1 - optimizer.beta1 ** t)
        const c2 = Float32Array.of(1 - optimizer.beta2 ** t)
        return (await step.run({ ...data, c1, c2 })).loss[0]
      })
    })
  })
  await Effect.runPromise(program.pipe(Effect.provide(layer({ threads: 2 })), Effect.scoped))
}
