import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"

const layers = 8
const config = {
  model_type: "llama",
  vocab_size: 64,
  hidden_size: 32,
  intermediate_size: 96,
  num_hidden_layers: layers,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  initializer_range: 0.2,
  tie_word_embeddings: true,
}
const [rows, tokens] = [4, 48]
const batch = {
  task: "default",
  shape: [rows, tokens] as const,
  tokens: Int32Array.from({ length: rows * tokens }, (_, i) => i * 7 % 64),
  lengths: new Int32Array(rows).fill(tokens),
  exampleWeight: new Float32Array(rows).fill(1),
  fields: { labels: Int32Array.from({ length: rows * tokens }, (_, i) => i * 11 % 64) },
  rows: Int32Array.from({ length: rows }, (_, i) => i),
}

/** Losses of three steps, what was trained, and bytes of temporaries. */
const train = (gradientCheckpointing: boolean) =>
  Effect.gen(function* () {
    const model = yield* initialize(config, { task: Task.causalLM(), seed: 3 })
    const trained = model.parameters.filter(({ trainable }) => trainable)
    return yield* Effect.promise(async () => {
      const session = await makeSession(model, { gradientCheckpointing, seed: 0 })
      const results = []
      for (let step = 0; step < 3; step++) results.push(...await session.post({ batches: [batch] }, 1e-2))
      results.push(...await session.drain())
      const losses = results.map(({ loss }) => loss)
      const values = await Promise.all(trained.map(({ slot }) => model.backend.read(slot)))
      return { losses, values, bytes: model.backend.memory().temporaryBytes }
    })
  })

const platform = Layer.mergeAll(Wasm.layer({ threads: 1 }), pluginsLayer, familiesLayer)
/** A method, and the bytes that are enough: with all parameters, all gradients wait to be clipped. */
const methods = {
  "all parameters": [Llama.layer, 3.5e6],
  "LoRA with dropout": [
    Layer.mergeAll(
      Llama.layer,
      Lora.layer({ r: 4, loraDropout: 0.1, targetModules: ["q_proj", "v_proj"] }),
    ),
    1.35e6,
  ],
} as const
for (const [name, [method, enough]] of Object.entries(methods)) {
  Deno.test(`gradient checkpointing trains the same with less memory: ${name}`, async () => {
    const run = (checkpointing: boolean) =>
      Effect.runPromise(
        Effect.scoped(train(checkpointing)).pipe(Effect.provide(method.pipe(Layer.provideMerge(platform)))),
      )
    const [plain, kept] = [await run(false), await run(true)]
    for (const [i, loss] of plain.losses.entries()) assert(Math.abs(kept.losses[i] - loss) < 1e-5 * loss)
    assertEquals(kept.values.length, plain.values.length)
    plain.values.forEach((values, i) => {
      const worst = Math.max(...Array.from(values, (x, j) => Math.abs(x - kept.values[i][j])))
      assert(worst < 1e-3, `${worst}`)
    })
    assert(kept.bytes < Math.min(enough, plain.bytes), `${kept.bytes} of ${plain.bytes} bytes`)
  })
}
