import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { adamW } from "../../../core/training/optimizers/adamw.ts"
import type { Optimizer } from "../../../core/training/optimizers/optimizer.ts"
import { sgd } from "../../../core/training/optimizers/sgd.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, run } from "../../support/model_layer.ts"
import { llamaConfig } from "../padded.ts"

const batch = {
  task: "default",
  shape: [2, 4],
  tokens: Int32Array.of(3, 8, 1, 5, 4, 7, 2, 6),
  lengths: Int32Array.of(4, 4),
  exampleWeight: Float32Array.of(1, 1),
  rows: Int32Array.of(0, 1),
  fields: { labels: Int32Array.of(1, 0) },
} as const

/** What one step at a rate of 0.01 adds to each trained parameter. */
const changes = (optimizer: Optimizer, options: Lora.LoraOptions, weightDecay = 0): Promise<Map<string, number[]>> => {
  const backend = memoryBackend()
  return run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task: Task.classification(["a", "b"]) })
      const trained = model.parameters.filter(({ trainable }) => trainable)
      const before = new Map(trained.map(({ key, slot }) => [key, Array.from(backend.slots.get(slot.id)!)]))
      yield* Effect.promise(async () => {
        const session = await makeSession(model, { optimizer, weightDecay, maxGradNorm: 0, seed: 0 })
        await session.post({ batches: [batch] }, 0.01)
        await session.drain()
      })
      return new Map(trained.map(({ key, slot }) => {
        return [key, before.get(key)!.map((value, i) => backend.slots.get(slot.id)![i] - value)]
      }))
    }),
    Lora.layer({ r: 3, initLoraWeights: false, useDora: true, ...options }),
    backend,
  )
}

for (const optimizer of [sgd(), adamW()]) {
  for (const weightDecay of [0, 0.1]) {
    Deno.test(`LoRA+: B and DoRA's lengths move by a multiple: ${optimizer.name}, decay ${weightDecay}`, async () => {
      const plain = await changes(optimizer, {}, weightDecay)
      const faster = await changes(optimizer, { loraPlusLrRatio: 16 }, weightDecay)
      assertEquals([...faster.keys()], [...plain.keys()])
      let multiplied = 0
      for (const [key, change] of plain) {
        const factor = /lora_B|lora_magnitude_vector/.test(key) ? 16 : 1
        if (factor > 1) multiplied++
        assert(Math.hypot(...change) > 1e-8)
        assert(distance(faster.get(key)!, change.map((x) => factor * x)) < 1e-6, key)
      }
      assertEquals(multiplied, 8)
    })
  }
}
