/**
 * Clipping where the whole model trains, embeddings too, beside the gradient norms of a plain step.
 * @module
 */
import { assert } from "@std/assert"
import { type Contribution, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { flat } from "../../../plugins/differential_privacy/clip.ts"
import { config } from "../../seams/language_model.ts"
import { registered } from "./support.ts"

const MASKED = -100
/** Rows that take tokens twice. */
const rows = [[7, 8, 7, 9, 10, 7], [11, 11, 12, 11, 13, 14], [20, 7, 21, 7, 22, 23]]

const batchOf = (chosen: ReadonlyArray<ReadonlyArray<number>>): Trainer.Batch => ({
  task: "default",
  shape: [chosen.length, chosen[0].length],
  tokens: Int32Array.from(chosen.flat()),
  lengths: Int32Array.from(chosen, (row) => row.length),
  exampleWeight: new Float32Array(chosen.length).fill(1),
  fields: { labels: Int32Array.from(chosen.flatMap((row) => [...row.slice(1), MASKED])) },
  rows: Int32Array.from(chosen, (_, i) => i),
})

/** One step of SGD at rate 1 on a model of one seed: its gradient norm, and the change of all weights. */
function step(tied: boolean, chosen: ReadonlyArray<ReadonlyArray<number>>, clip?: number) {
  const clipping: Contribution = {
    id: "clip/default",
    requires: { paddedRows: true, constantDivisor: true },
    gradients: clip === undefined ? {} : { example: (gradients) => flat(gradients, clip) },
  }
  const layers = Layer.mergeAll(Llama.layer, registered(clipping)).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  const values = (model: Model.Model) =>
    Effect.map(Model.readParameters(model), (all) => all.flatMap(({ data }) => Array.from(data)))
  const program = Effect.gen(function* () {
    const model = yield* Model.initialize({ ...config, tie_word_embeddings: tied }, { task: Task.causalLM(), seed: 3 })
    const before = yield* values(model)
    const session = yield* Trainer.session(model, {
      optimizer: Trainer.sgd(),
      maxGradNorm: 0,
      examplesPerStep: rows.length,
    })
    const results = yield* Effect.promise(async () => [
      ...await session.post({ batches: [batchOf(chosen)] }, 1),
      ...await session.drain(),
    ])
    const after = yield* values(model)
    return { norm: results[0].gradientNorm * rows.length, change: after.map((x, i) => x - before[i]) }
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layers)))
}

for (const tied of [false, true]) {
  Deno.test(`clipped gradients of a whole model have the norm and the direction of plain ones, tied ${tied}`, async () => {
    const plain = await Promise.all(rows.map((row) => step(tied, [row])))
    const norms = plain.map(({ norm }) => norm)
    // Between the norms: some examples are clipped.
    const clip = (Math.min(...norms) + Math.max(...norms)) / 2
    assert(Math.max(...norms) > 1.02 * Math.min(...norms), `${norms}`)
    const { change } = await step(tied, rows, clip)
    const wanted = change.map((_, i) =>
      plain.reduce((sum, one, b) => sum + one.change[i] * Math.min(1, clip / (norms[b] + 1e-6)), 0)
    )
    const length = (values: ReadonlyArray<number>) => Math.hypot(...values)
    const off = length(wanted.map((x, i) => x - change[i])) / length(wanted)
    assert(off < 1e-5, `the clipped sum is off by ${off}`)
  })
}
