/**
 * `epoch.ts order.json`: an epoch on Espalier, its wasm backend; see ../epoch.ts.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Lora from "@espalier/espalier/lora"
import type { EpochOrder, EpochResult, LabelledText } from "../epoch.ts"

const order: EpochOrder = JSON.parse(await Deno.readTextFile(Deno.args[0]))
const { labels, seed, batchSize, learningRate, warmupRatio, maxLength, r, loraAlpha, targetModules } = order

const program = Effect.gen(function* () {
  const data = (rows: ReadonlyArray<LabelledText>) =>
    Dataset.rows(rows.map(({ text, label }) => ({ text, label: labels[label] })), { text: "text", label: "label" }, {
      labels,
    })
  const model = yield* Model.load(order.model, { task: Task.classification(labels), seed })
  const train = yield* data(order.train), test = yield* data(order.test)
  const options = { epochs: 1, batchSize, learningRate, warmupRatio, maxLength, seed }
  const { seconds, steps } = yield* Trainer.fit(model, { train }, options)
  const { metrics } = yield* Trainer.evaluate(model, test, { maxLength })
  return { seconds, steps, accuracy: metrics.accuracy } satisfies EpochResult
})

const platform = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
const layer = Layer.mergeAll(Lora.layer({ r, loraAlpha, targetModules }), Bert.layer).pipe(
  Layer.provideMerge(platform),
)
console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer)))))
