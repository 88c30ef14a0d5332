/**
 * A run on the CPU backend, in a process of its own so that it can be killed: `_killed_run.ts <folder> <resume>`.
 * Prints the steps as they end and the weights' digest in the end.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layerWith } from "../../../../core/training/espalier.ts"
import { fit } from "../../../../core/training/fit.ts"
import * as Llama from "../../../../plugins/llama/mod.ts"
import * as Lora from "../../../../plugins/lora/mod.ts"
import { classifier, texts, tokenizer, weightsOf } from "../support.ts"

const [folder, resume] = Deno.args
const data = texts(64)
const train = { ...data, rows: data.rows.slice(0, 48) }
const validation = { ...data, rows: data.rows.slice(48) }

const program = Effect.gen(function* () {
  const model = yield* classifier()
  yield* fit(model, { train, validation }, {
    epochs: 12,
    learningRate: 5e-3,
    batchSize: 4,
    gradientAccumulationSteps: 2,
    warmupRatio: 0.1,
    saveEvery: 4,
    tokenizer,
    ...(folder === "" ? {} : { runFolder: folder, resume: resume === "true" }),
    observe: (event) => event.type === "step" ? Effect.sync(() => console.log(`step ${event.step}`)) : Effect.void,
  })
  const weights = yield* Effect.promise(() => weightsOf(model))
  const digest = yield* Effect.promise(() => crypto.subtle.digest("SHA-256", new Uint8Array(weights.slice().buffer)))
  console.log(`weights ${new Uint8Array(digest).toHex()}`)
})

const methods = Layer.mergeAll(Lora.layer({ r: 4, loraDropout: 0.1, targetModules: "all-linear" }), Llama.layer)
await Effect.runPromise(
  Effect.scoped(program).pipe(Effect.provide(methods.pipe(Layer.provideMerge(layerWith({ wasm: { threads: 1 } }))))),
)
