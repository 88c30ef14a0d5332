/**
 * `deno task quality [--model DIR] [--seeds N] [key=value ...]`: what the included model learns of the SMS data, as a
 * mean of seeds: LoRA, its head alone, and LoRA on random weights. Fails below the targets.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Plugins, Task, Tokenizer, Trainer } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"

const directory = Deno.env.get("QUALITY_MODEL") ?? "examples/models/espalier-1m"
const settings: Record<string, number> = {
  seeds: 3,
  epochs: 5,
  batchSize: 16,
  learningRate: 3e-3,
  r: 8,
  loraAlpha: 16,
  loraDropout: 0.1,
  maxLength: 128,
}
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  const least = name === "loraDropout" ? 0 : Number.MIN_VALUE
  if (!(name in settings) || !(Number(value) >= least)) throw new Error(`Expected NAME=NUMBER, got "${argument}"`)
  settings[name] = Number(value)
}

const HeadOnly = Context.Service<"head", null>("head")
/** Trains the classification head and nothing else. */
const headOnly = Plugins.plugin(
  HeadOnly,
  Effect.succeed([null, { id: "head/only", trains: ({ outputHead }) => outputHead }] as const),
)
const { r, loraAlpha, loraDropout } = settings
const lora = Lora.layer({ r, loraAlpha, loraDropout, targetModules: ["q_proj", "v_proj"] })

interface Kind {
  readonly name: string
  readonly method: Layer.Layer<never, unknown, Plugins.Plugins>
  readonly random: boolean
}
const kinds: ReadonlyArray<Kind> = [
  { name: "LoRA", method: Layer.effectDiscard(Effect.void).pipe(Layer.merge(lora)) as Kind["method"], random: false },
  { name: "head only", method: headOnly as unknown as Kind["method"], random: false },
  { name: "LoRA on random weights", method: lora as unknown as Kind["method"], random: true },
]

const once = ({ method, random }: Kind, seed: number) =>
  Effect.gen(function* () {
    const data = yield* Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }).pipe(
      Dataset.split({ validation: 0.1, test: 0.2, seed }),
    )
    const task = Task.classification(data.labels)
    const tokenizer = yield* Tokenizer.loadTokenizer(directory)
    const config = JSON.parse(yield* Effect.promise(() => Deno.readTextFile(`${directory}/config.json`)))
    const model = yield* random ? Model.initialize(config, { task, seed }) : Model.load(directory, { task, seed })
    const { epochs, batchSize, learningRate, maxLength } = settings
    // As in examples/lora.ts.
    const earlyStopping = { metric: "macroF1" }
    const training = { epochs, batchSize, learningRate, maxLength, seed, tokenizer, warmupRatio: 0.06, earlyStopping }
    const run = yield* Trainer.fit(model, data, training)
    const { metrics } = yield* Trainer.evaluate(model, data.test, { maxLength, tokenizer })
    return { ...metrics, seconds: run.seconds }
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(method, Llama.layer).pipe(Layer.provideMerge(Espalier.layer)), { local: true }),
  )

const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
const found = new Map<string, { accuracy: number; macroF1: number }>()
for (const kind of kinds) {
  const results: { accuracy: number; macroF1: number; seconds: number }[] = []
  for (let seed = 1; seed <= settings.seeds; seed++) {
    results.push(await Effect.runPromise(once(kind, seed) as Effect.Effect<typeof results[number]>))
  }
  const each = (name: "accuracy" | "macroF1") => {
    const values = results.map((result) => result[name])
    return `${name} ${mean(values).toFixed(4)} (${Math.min(...values).toFixed(4)} to ${Math.max(...values).toFixed(4)})`
  }
  const seconds = mean(results.map((result) => result.seconds))
  found.set(kind.name, {
    accuracy: mean(results.map((result) => result.accuracy)),
    macroF1: mean(results.map((result) => result.macroF1)),
  })
  console.log(`${kind.name.padEnd(23)} ${each("accuracy")}  ${each("macroF1")}  ${seconds.toFixed(1)} s`)
}

const ours = found.get("LoRA")!
const checks: ReadonlyArray<readonly [string, boolean]> = [
  ["mean accuracy at least 0.98", ours.accuracy >= 0.98],
  ["mean macro-F1 at least 0.95", ours.macroF1 >= 0.95],
  ["macro-F1 2.5 points above head only", ours.macroF1 >= found.get("head only")!.macroF1 + 0.025],
  ["macro-F1 2.5 points above random weights", ours.macroF1 >= found.get("LoRA on random weights")!.macroF1 + 0.025],
]
for (const [name, passed] of checks) console.log(`${passed ? "ok    " : "FAILED"} ${name}`)
const failed = checks.filter(([, passed]) => !passed).length
console.log(`${checks.length - failed} passed, ${failed} failed`)
Deno.exit(failed > 0 ? 1 : 0)
