import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "../../../core/backend/backend.ts"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import * as Dataset from "../../../core/tasks/dataset/dataset.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { generate } from "../../../core/inference/mod.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize, load } from "../../../core/model/load/load.ts"
import type { WeightEncoding } from "../../../core/model/load/load_options.ts"
import { saveCheckpoint } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fit } from "../../../core/training/fit.ts"
import type { BlockEncoding } from "../../../kernels/encoding.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { importPage } from "../../support/page.ts"

const { q8 } = await importPage<{ readonly q8: BlockEncoding }>("docs/add_a_encoding.md")

const tokenizer: Tokenizer = {
  vocabSize: 48,
  padId: 0,
  eosId: 47,
  addsSpecialTokens: false,
  encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0) - 64),
  decode: (ids) => String.fromCharCode(...Array.from(ids, (id) => id + 64)),
  token: (id) => String.fromCharCode(id + 64),
  id: (token) => token.charCodeAt(0) - 64,
}
const config = {
  model_type: "llama",
  vocab_size: 48,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  initializer_range: 0.3,
}
const texts = Array.from({ length: 12 }, (_, i) => ({ text: "ABCDEFGHIJKLMNOP".slice(i % 5, 6 + i % 9) }))
const data = Dataset.fromRows(texts, { text: "text" })

/** Losses and trained weights of some LoRA steps, and what the model then writes. */
const trained = (directory: string, weights: WeightEncoding, options: Wasm.WasmOptions) =>
  Effect.gen(function* () {
    const model = yield* load(directory, { task: Task.causalLM(), weights })
    const losses: Array<number> = []
    yield* fit(model, { train: data }, {
      tokenizer,
      maxSteps: 4,
      batchSize: 4,
      learningRate: 1e-2,
      observe: (event) => Effect.sync(() => void (event.type === "step" && losses.push(event.loss))),
    })
    const { backend } = model
    const values = yield* Effect.promise(() =>
      Promise.all(model.parameters.filter(({ trainable }) => trainable).map(({ slot }) => backend.read(slot)))
    )
    const text = yield* generate(model, Int32Array.of(1, 2, 3, 4, 5), { maxNewTokens: 8 })
    return { run: { losses, values, text }, pages: backend.memory().totalBytes / 65536 }
  }).pipe(Effect.provide(layers(options), { local: true }), Effect.scoped, Effect.runPromise)

const layers = (options: Wasm.WasmOptions) =>
  Layer.mergeAll(Llama.layer, Lora.layer({ r: 4, targetModules: "all-linear" })).pipe(
    Layer.provideMerge(Layer.mergeAll(Wasm.layer(options), pluginsLayer, familiesLayer, NodeFileSystem.layer)),
  )

Deno.test("LoRA steps and generation have the same bits where the base lies in further memories", async () => {
  const directory = await Deno.makeTempDir()
  try {
    await Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.causalLM() })
      yield* saveCheckpoint(model.view({ only: [] }), directory)
    }).pipe(Effect.provide(layers({ threads: 1 }), { local: true }), Effect.scoped, Effect.runPromise)
    for (const weights of ["f32", "bf16", q8] as const) {
      const { run, pages } = await trained(directory, weights, { threads: 1 })
      assert(run.losses.at(-1)! < run.losses[0], `${run.losses}`)
      for (const threads of [1, 2, 3]) {
        // A part in the first memory, the rest in several.
        const further = await trained(directory, weights, { threads, frozenBytes: [40_000, 65_536] })
        assertEquals(further.run, run, `${weights}, ${threads} threads`)
        assert(further.pages > pages - 2, `${further.pages} pages, ${pages} in one memory`)
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a model that one memory cannot hold is refused before anything is read", () =>
  Effect.gen(function* () {
    const before = (yield* Backend).memory()
    const large = {
      ...config,
      hidden_size: 4096,
      intermediate_size: 14_336,
      num_hidden_layers: 32,
      vocab_size: 128_256,
    }
    const error = yield* Effect.flip(initialize(large, { task: Task.causalLM() }))
    assertEquals(error._tag === "BackendError" && error.reason, "OutOfMemory")
    assert(
      /No room for the model: it needs \d+\.\d MiB, \d+\.\d MiB of them for frozen/.test(error.message),
      error.message,
    )
    assertEquals((yield* Backend).memory(), before)
  }).pipe(
    Effect.provide(layers({ threads: 1, severalMemories: false }), { local: true }),
    Effect.scoped,
    Effect.runPromise,
  ))
