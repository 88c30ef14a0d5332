/**
 * 1,000 steps of LoRA on the backend that the first argument names, on padded rows or, where the second one is `packed`, on
 * packed ones, in a process of its own: prints resident memory, the heap in use after each collection of garbage and the
 * backend's memory after each step, as JSON.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Espalier, Model, Task, Trainer } from "../mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import { texts, tokenizer } from "./core/training/support.ts"

const backend = Deno.args[0] === "webgpu" ? "webgpu" : "wasm"
// Software adapters are slow; what they keep does not depend on the model's size.
const sizes = backend === "webgpu"
  ? { hidden_size: 32, intermediate_size: 96, num_hidden_layers: 2 }
  : { hidden_size: 128, intermediate_size: 384, num_hidden_layers: 5 }
const config = {
  model_type: "llama",
  vocab_size: 300,
  ...sizes,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
}
const paddingFree = Deno.args[1] === "packed"
// Texts of one sentence to eight, so that there are batches of different lengths. Packed ones differ anyway: here all
// their lengths come in the first steps.
const { rows, ...data } = texts(200)
const repeated = (text: string, times: number) => Array.from({ length: times }, () => text).join(" ")
const train = {
  ...data,
  rows: rows.map((row, i) => ({ ...row, text: repeated(row.text, paddingFree ? 1 : 1 + i % 8) })),
}

const { gc: collect } = globalThis as unknown as { gc(options: { type: string; flavor: string }): void }

const program = Effect.gen(function* () {
  const model = yield* Model.initialize(config, { task: Task.classification(data.labels) })
  const resident: number[] = []
  const heap: number[] = []
  const total: number[] = []
  yield* Trainer.fit(model, { train }, {
    maxSteps: 1000,
    batchSize: 8,
    maxLength: 48,
    paddingFree,
    tokenizer,
    observe: (event) =>
      Effect.sync(() => {
        if (event.type !== "step") return
        // Garbage that V8 has not collected yet is no growth; as a last resort it gives code and spare pages back too.
        if (event.step % 10 === 0) {
          collect({ type: "major", flavor: "last-resort" })
          heap.push(Deno.memoryUsage().heapUsed)
        }
        resident.push(Deno.memoryUsage().rss)
        total.push(model.backend.memory().totalBytes)
      }),
  })
  console.log(JSON.stringify({ resident, heap, total }))
})

const methods = Layer.mergeAll(Lora.layer({ r: 8, targetModules: "all-linear" }), Llama.layer)
const platform = Espalier.layerWith({ backend, wasm: { threads: 2 } })
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(methods.pipe(Layer.provideMerge(platform)))))
