/**
 * `deno task quality:curriculum [key=value ...]`: after how many steps a curriculum reaches the lowest validation loss of the
 * run without one, on the included model, LoRA and the SMS data. Prints a Markdown table; nothing was tuned.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, type Plugins, Task, Trainer } from "@espalier/espalier"
import * as Curriculum from "@espalier/espalier/curriculum"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"

const settings: Record<string, number> = { seeds: 5, epochs: 2, batchSize: 16, learningRate: 3e-3, every: 20 }
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (!(name in settings) || !(Number(value) > 0)) throw new Error(`Expected NAME=NUMBER, got "${argument}"`)
  settings[name] = Number(value)
}
const { seeds, epochs, batchSize, learningRate, every } = settings
const directory = "examples/models/espalier-1m"
const maxLength = 128

type Method = Layer.Layer<never, unknown, Plugins.Plugins>
const PLAIN = "none"
const curricula: Readonly<Record<string, unknown>> = {
  [PLAIN]: Layer.empty,
  "length": Curriculum.layer({ difficulty: "length" }),
  "length, hard first": Curriculum.layer({ difficulty: "length", order: "hard" }),
  "rarity": Curriculum.layer({ difficulty: "rarity" }),
  "the base model's loss": Curriculum.layer({ difficulty: { column: "loss" } }),
  "feedback": Curriculum.layer({ difficulty: "feedback" }),
}

/** Runs a program with methods. */
const provided = <A>(program: Effect.Effect<A, unknown, unknown>, methods: Method): Promise<A> =>
  Effect.runPromise(
    program.pipe(
      Effect.scoped,
      Effect.provide(Layer.mergeAll(methods, Llama.layer).pipe(Layer.provideMerge(Espalier.layer)), { local: true }),
    ) as Effect.Effect<A>,
  )

const splitOf = (seed: number) =>
  Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }).pipe(
    Dataset.split({ validation: 0.1, test: 0.2, seed }),
  )

/** Losses of the training rows before training; the head, which is new, is that of the run. */
const baseLosses = (seed: number) =>
  Effect.gen(function* () {
    const data = yield* splitOf(seed)
    const model = yield* Model.load(directory, { task: Task.classification(data.labels), seed })
    return (yield* Trainer.evaluate(model, data.train, { maxLength })).losses
  })

/** Validation losses by step. */
const lossesOf = (seed: number, base: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const data = yield* splitOf(seed)
    const rows = data.train.rows.map((row, i) => ({ ...row, numbers: { loss: base[i] } }))
    const model = yield* Model.load(directory, { task: Task.classification(data.labels), seed })
    const found: Array<readonly [step: number, loss: number]> = []
    yield* Trainer.fit(model, { train: { ...data.train, rows }, validation: data.validation }, {
      epochs,
      batchSize,
      learningRate,
      maxLength,
      seed,
      evaluateEvery: every,
      observe: (event) =>
        Effect.sync(() => void (event.type === "evaluation" && found.push([event.step, event.metrics.loss]))),
    })
    return found
  })

const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
const spread = (values: ReadonlyArray<number>, digits: number) =>
  values.length === 0 ? "" : `${mean(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ` +
    `${Math.max(...values).toFixed(digits)})`

const reached = new Map(Object.keys(curricula).map((name) => [name, [] as Array<number>]))
const lowest = new Map(Object.keys(curricula).map((name) => [name, [] as Array<number>]))
for (let seed = 1; seed <= seeds; seed++) {
  const base = await provided(baseLosses(seed), Layer.empty as Method)
  let target = -Infinity
  for (const [name, curriculum] of Object.entries(curricula)) {
    const lora = Lora.layer({ r: 8, loraAlpha: 16, targetModules: ["q_proj", "v_proj"] })
    const losses = await provided(lossesOf(seed, base), Layer.merge(curriculum as Method, lora as unknown as Method))
    const least = Math.min(...losses.map(([, loss]) => loss))
    if (name === PLAIN) target = least
    lowest.get(name)!.push(least)
    const first = losses.find(([, loss]) => loss <= target)
    if (first !== undefined) reached.get(name)!.push(first[0])
    console.error(`seed ${seed}, ${name}: ${least.toFixed(4)}, step ${first?.[0] ?? "never"}`)
  }
}
console.log("| curriculum | reached | steps | lowest validation loss |")
console.log("| --- | --- | --- | --- |")
for (const [name, steps] of reached) {
  console.log(`| ${name} | ${steps.length} of ${seeds} | ${spread(steps, 0)} | ${spread(lowest.get(name)!, 4)} |`)
}
