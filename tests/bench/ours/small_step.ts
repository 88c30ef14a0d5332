/**
 * `small_step.ts backend [profile]`: the small step on Espalier, `wasm` or `webgpu`: the trainer's own step programs over a
 * hand-made model. A profile of the steps after the 50th goes to the file `profile`.
 * @module
 */
import * as Effect from "effect/Effect"
import { type BackendChoice, layerWith } from "../../../core/backend/auto.ts"
import { Backend } from "../../../core/backend/backend.ts"
import type { BatchTensors, Outputs } from "../../../core/contracts/objective.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import {
  add,
  attention,
  gather,
  geluTanh,
  layerNorm,
  matmul,
  narrow,
  permute,
  reshape,
  slot,
} from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { adamW } from "../../../core/training/optimizers/adamw.ts"
import { makeSession } from "../../../core/training/session.ts"
import { profileTo } from "../profile_steps.ts"
import { serve } from "../serve.ts"
import { batch, initialParameters, model, optimizer, parameterShapes } from "../small_step.ts"

const [choice, profile] = Deno.args
const { width, heads, layers, rows, tokens } = model

const program = Effect.gen(function* () {
  const backend = yield* Backend
  const initial = initialParameters()
  const trained = parameterShapes.map(([key, shape]) => {
    const place = backend.allocate(key, shape)
    const initializer = { kind: "zeros" as const }
    return {
      key,
      shape,
      module: "",
      name: key,
      owner: "base",
      initializer,
      slot: place,
      tensor: slot(place),
      trainable: true,
    }
  })
  for (const { key, slot } of trained) yield* Effect.promise(() => backend.write(slot, initial.get(key)!))
  const p = new Map(trained.map(({ key, tensor }) => [key, tensor]))
  const at = (key: string): Tensor => p.get(key)!

  const norm = (x: Tensor, name: string) => layerNorm(x, at(`${name}.weight`), at(`${name}.bias`), 1e-5)
  const linear = (x: Tensor, name: string) => add(matmul(x, at(`${name}.weight`)), at(`${name}.bias`))
  const split = (x: Tensor) => permute(reshape(x, [rows, tokens, heads, width / heads]), [0, 2, 1, 3])
  const forward = ({ tokens: ids }: BatchTensors): Outputs => {
    let h = add(gather(at("embedding"), ids), at("position"))
    for (let layer = 0; layer < layers; layer++) {
      const name = `layer.${layer}`
      const qkv = linear(norm(h, `${name}.norm1`), `${name}.qkv`)
      const [q, k, v] = [0, 1, 2].map((i) => split(narrow(qkv, 2, i * width, (i + 1) * width)))
      const mixed = reshape(permute(attention(q, k, v, { causal: true }), [0, 2, 1, 3]), [rows, tokens, width])
      h = add(h, linear(mixed, `${name}.out`))
      h = add(h, linear(geluTanh(linear(norm(h, `${name}.norm2`), `${name}.up`)), `${name}.down`))
    }
    const hidden = norm(h, "norm")
    return { logits: matmul(hidden, at("head")), hidden }
  }

  const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer
  const made = {
    backend,
    forward,
    parameters: trained,
    contributions: [],
    task: Task.causalLM(),
    tasks: { default: { task: Task.causalLM() } },
    merged: new Set<string>(),
    off: new Set<string>(),
    tensor: at,
  }
  const session = yield* Effect.promise(() =>
    makeSession(made, { optimizer: adamW({ betas: [beta1, beta2], epsilon }), weightDecay, maxGradNorm: 0, seed: 0 })
  )
  const { inputs, targets } = batch()
  const batches = [{
    task: "default",
    shape: [rows, tokens] as const,
    tokens: inputs,
    lengths: new Int32Array(rows).fill(tokens),
    exampleWeight: new Float32Array(rows).fill(1),
    fields: { labels: targets },
    rows: Int32Array.from({ length: rows }, (_, row) => row),
  }]
  const record = profile === undefined ? undefined : profileTo(profile)
  let step = 0
  yield* Effect.promise(() =>
    serve(async () => {
      step++
      const trace = record !== undefined && step > 50
      const posted = await session.post({ batches, trace }, learningRate)
      const [{ loss, trace: times }] = [...posted, ...await session.drain()]
      if (times !== undefined) await record?.(times)
      return loss
    })
  )
})

await Effect.runPromise(
  Effect.scoped(
    program.pipe(Effect.provide(layerWith({ backend: choice as BackendChoice, wasm: { threads: 2 } }))),
  ),
)
