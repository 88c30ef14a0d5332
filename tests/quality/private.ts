/**
 * `deno task quality:private [key=value ...]`: what privacy costs: the included model (espalier-1m) and LoRA on the SMS data
 * without privacy and at epsilon 8, 3 and 1, delta 1e-5; held-out accuracy and macro-F1 as means of seeds. Prints a Markdown
 * table. Fails when epsilon 8 costs more than 1.5 points of accuracy or 4 points of macro-F1.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, type Plugins, Task, Trainer } from "@espalier/espalier"
import * as DifferentialPrivacy from "@espalier/espalier/differential-privacy"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"

const settings: Record<string, number> = {
  seeds: 3,
  firstSeed: 1,
  least: 0,
  most: Infinity,
  epochs: 5,
  batchSize: 16,
  learningRate: 3e-3,
  loraDropout: 0.1,
  privateEpochs: 25,
  privateBatchSize: 32,
  privateAccumulation: 16,
  privateLearningRate: 1e-2,
  maxGradNorm: 0.1,
}
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (!(name in settings) || !(Number(value) >= 0)) throw new Error(`Expected NAME=NUMBER, got "${argument}"`)
  settings[name] = Number(value)
}
const { seeds, firstSeed, least, most, maxGradNorm } = settings
const delta = 1e-5

const plain = { epochs: settings.epochs, batchSize: settings.batchSize, learningRate: settings.learningRate }
const hidden = {
  epochs: settings.privateEpochs,
  batchSize: settings.privateBatchSize,
  gradientAccumulationSteps: settings.privateAccumulation,
  learningRate: settings.privateLearningRate,
}
const lora = (loraDropout: number) =>
  Lora.layer({ r: 8, loraAlpha: 16, loraDropout, targetModules: ["q_proj", "v_proj"] })

type Scores = Record<"accuracy" | "macroF1" | "seconds", number>

const once = (targetEpsilon: number, seed: number) =>
  Effect.gen(function* () {
    const data = yield* Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }).pipe(
      Dataset.split({ validation: 0.1, test: 0.2, seed }),
    )
    const model = yield* Model.load("examples/models/espalier-1m", { task: Task.classification(data.labels), seed })
    const run = yield* Trainer.fit(model, data, {
      ...targetEpsilon === Infinity ? plain : hidden,
      maxLength: 128,
      seed,
      warmupRatio: 0.06,
      earlyStopping: { metric: "macroF1" },
    })
    const { metrics } = yield* Trainer.evaluate(run.model, data.test, { maxLength: 128 })
    return { ...metrics, seconds: run.seconds }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      (targetEpsilon === Infinity ? lora(settings.loraDropout) : Layer.mergeAll(
        lora(0),
        DifferentialPrivacy.layer({ targetEpsilon, delta, maxGradNorm }),
      ) as Layer.Layer<never, unknown, Plugins.Plugins>).pipe(
        Layer.merge(Llama.layer),
        Layer.provideMerge(Espalier.layer),
      ),
      { local: true },
    ),
  ) as Effect.Effect<Scores>

const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
const found = new Map<number, Record<"accuracy" | "macroF1", number>>()
console.log(`| epsilon | accuracy | macro-F1 | seconds |`)
console.log(`| --- | --- | --- | --- |`)
for (const epsilon of [Infinity, 8, 3, 1].filter((value) => value >= least && value <= most)) {
  const results: Array<Scores> = []
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    results.push(await Effect.runPromise(once(epsilon, seed)))
  }
  const of = (name: keyof Scores) => results.map((result) => result[name])
  const spread = (name: keyof Scores) =>
    `${mean(of(name)).toFixed(3)} (${Math.min(...of(name)).toFixed(3)} to ${Math.max(...of(name)).toFixed(3)})`
  const name = epsilon === Infinity ? "not private" : String(epsilon)
  console.log(`| ${name} | ${spread("accuracy")} | ${spread("macroF1")} | ${mean(of("seconds")).toFixed(0)} |`)
  found.set(epsilon, { accuracy: mean(of("accuracy")), macroF1: mean(of("macroF1")) })
}

const [open, closed] = [found.get(Infinity), found.get(8)]
if (open !== undefined && closed !== undefined) {
  const checks: ReadonlyArray<readonly [string, boolean]> = [
    ["epsilon 8 costs at most 1.5 points of accuracy", closed.accuracy >= open.accuracy - 0.015],
    ["epsilon 8 costs at most 4 points of macro-F1", closed.macroF1 >= open.macroF1 - 0.04],
  ]
  for (const [name, passed] of checks) console.log(`${passed ? "ok    " : "FAILED"} ${name}`)
  const failed = checks.filter(([, passed]) => !passed).length
  console.log(`${checks.length - failed} passed, ${failed} failed`)
  Deno.exit(failed > 0 ? 1 : 0)
}
