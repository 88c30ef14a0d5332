import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { run } from "../../support/model_layer.ts"
import { llamaConfig } from "../padded.ts"

/** What trains: shapes and how it starts. */
const trained = (options: PrefixTuning.PrefixTuningOptions) =>
  run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task: Task.causalLM() })
      return Object.fromEntries(
        model.parameters.filter(({ trainable }) => trainable)
          .map(({ key, shape, initializer }) => [key.replace("prefix_tuning/default:", ""), { shape, initializer }]),
      )
    }),
    PrefixTuning.layer(options),
  )

const attention = "model.layers.1.self_attn"
const uniform = (inFeatures: number) => ({ kind: "uniform", bound: 1 / Math.sqrt(inFeatures) }) as const

Deno.test("without a projection keys and values of each layer train, and start as PEFT's", async () => {
  const random = await trained({ numVirtualTokens: 3 })
  assertEquals(Object.keys(random).length, 4)
  assertEquals(random[`${attention}.keys`], { shape: [3, 8], initializer: { kind: "normal", std: 1 } })
  const zero = await trained({ numVirtualTokens: 3, initWeights: "zero" })
  assertEquals(zero[`${attention}.values`], { shape: [3, 8], initializer: { kind: "zeros" } })
  assertEquals((await trained({}))[`${attention}.keys`].shape, [20, 8])
})

Deno.test("with a projection an embedding and a network train, which all layers share but for the end", async () => {
  const found = await trained({ numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 5 })
  assertEquals(Object.keys(found).filter((key) => key.startsWith("shared.")).sort(), [
    "shared.embedding.weight",
    "shared.transform.0.bias",
    "shared.transform.0.weight",
  ])
  assertEquals(Object.keys(found).length, 3 + 2 * 4)
  assertEquals(found["shared.embedding.weight"], { shape: [3, 8], initializer: { kind: "normal", std: 1 } })
  assertEquals(found["shared.transform.0.weight"], { shape: [5, 8], initializer: uniform(8) })
  assertEquals(found[`${attention}.keys.weight`], { shape: [8, 5], initializer: uniform(5) })
  assertEquals(found[`${attention}.values.bias`], { shape: [8], initializer: uniform(5) })
  const zero = await trained({ prefixProjection: true, initWeights: "zero" })
  assertEquals(zero[`${attention}.values.weight`], { shape: [8, 8], initializer: { kind: "zeros" } })
  assertEquals(zero["shared.transform.0.weight"].initializer, uniform(8))
})
