/**
 * Adapters of all kinds over a base in 16 bits, on both backends.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { load, merge, type Model, saveCheckpoint, saveMerged } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { embed } from "../../../core/training/embed.ts"
import { predict } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { onWebgpu } from "../../core/backend/webgpu/with_webgpu.ts"
import { classifier, texts, tokenizer } from "../../core/training/support.ts"
import { distance } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"

const task = Task.classification(["food", "sky"])
const rows = texts(6).rows.map(({ text }) => text)

for (
  const { name, layer, test } of [
    { name: "wasm", layer: wasm({ threads: 2 }), test: Deno.test },
    { name: "webgpu", layer: webgpu(), test: onWebgpu },
  ]
) {
  test(`${name}: DoRA, PiSSA and LoRA on a base in bf16 start at its function, train, share a batch and merge`, () =>
    inDirectory((directory) => {
      const services = Layer.mergeAll(layer, pluginsLayer, familiesLayer, NodeFileSystem.layer)
      const probabilities = (model: Model, plugins?: ReadonlyArray<string>) =>
        Effect.map(
          predict(model, rows, { tokenizer, batchSize: 3, ...(plugins === undefined ? {} : { plugins }) }),
          (all) => all.flatMap(({ probabilities = [] }) => probabilities),
        )
      const base = Effect.scoped(Effect.gen(function* () {
        const model = yield* classifier()
        yield* saveCheckpoint(model, directory, { dtype: "BF16" })
      })).pipe(Effect.provide(Llama.layer.pipe(Layer.provideMerge(services)), { local: true }))
      const trained = Effect.scoped(Effect.gen(function* () {
        const model = yield* load(directory, { task })
        assert(model.parameters.some(({ slot }) => slot.storage === "bf16"))
        const start = yield* probabilities(model)
        const plain = yield* probabilities(model.view({ only: [] }))
        assert(distance(start, plain) < 1e-5, `the start is off by ${distance(start, plain)}`)
        yield* fit(model, { train: texts(8) }, { maxSteps: 3, learningRate: 3e-2, batchSize: 4, tokenizer })

        const alone = new Map<string, { probabilities: number[]; embeddings: ReadonlyArray<Float32Array> }>()
        for (const name of ["dora", "pissa", "plain"]) {
          const view = model.view({ only: [`lora/${name}`] })
          alone.set(`lora/${name}`, {
            probabilities: yield* probabilities(view),
            embeddings: yield* embed(view, rows, { tokenizer }),
          })
        }
        const ids = ["lora/pissa", "lora/dora", "lora/plain", "lora/plain", "lora/pissa", "lora/dora"]
        const mixed = yield* probabilities(model, ids)
        const embedded = yield* embed(model, rows, { tokenizer, plugins: ids, batchSize: 4 })
        for (const [row, id] of ids.entries()) {
          const own = alone.get(id)!
          const off = distance(mixed.slice(2 * row, 2 * row + 2), own.probabilities.slice(2 * row, 2 * row + 2))
          assert(off < 1e-5, `row ${row} (${id}) is off by ${off}`)
          assert(distance(embedded[row], own.embeddings[row]) < 1e-5)
          for (const [other, { embeddings }] of alone) {
            if (other !== id) assert(distance(embedded[row], embeddings[row]) > 1e-3)
          }
        }
        const wrong = yield* Effect.flip(probabilities(model, ["lora/dora"]))
        assertEquals(wrong._tag, "TrainingError")
        assertStringIncludes(wrong.message, "plugins must name one for each of 6 rows, got 1")
        assertStringIncludes((yield* Effect.flip(probabilities(model, ids.map(() => "lora/x")))).message, '"lora/x"')

        const own = yield* probabilities(model)
        for (const names of [["lora/dora"], ["lora/plain", "lora/pissa"], ["lora"]]) {
          const off = distance(yield* probabilities(yield* merge(model, names)), own)
          assert(off < 1e-5, `with ${names} merged it is off by ${off}`)
        }
        yield* saveMerged(model, `${directory}/merged`)
        return own
      })).pipe(Effect.provide(
        Layer.mergeAll(
          Lora.layer({ name: "dora", r: 2, useDora: true, targetModules: ["q_proj", "up_proj"] }),
          Lora.layer({ name: "pissa", r: 3, initLoraWeights: "pissa_niter_4", targetModules: ["q_proj"] }),
          Lora.layer({ name: "plain", r: 4, targetModules: ["q_proj", "down_proj"] }),
          Llama.layer,
        ).pipe(Layer.provideMerge(services)),
        { local: true },
      ))
      const merged = Effect.scoped(Effect.gen(function* () {
        return yield* probabilities(yield* load(`${directory}/merged`, { task }))
      })).pipe(Effect.provide(Llama.layer.pipe(Layer.provideMerge(services)), { local: true }))
      return Effect.runPromise(Effect.gen(function* () {
        yield* base
        const error = distance(yield* trained, yield* merged)
        assert(error < 1e-5, `merged it is off by ${error}`)
      }))
    }))
}
