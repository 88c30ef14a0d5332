/**
 * Fine-tunes one LoRA adapter on several tasks at once, each in a file of its own: texts with a label, or with a score.
 *
 * ```sh
 * deno run -P examples/multitask.ts --model ./minilm --task spam=spam.csv --task stars=stars.csv --regression stars
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { field } from "../core/options/mod.ts"
import { columnsOf, DATA, MODEL, taskOf, TRAINING } from "../core/run/mod.ts"
import { DataError, Dataset, Espalier, Model, type Task, Trainer } from "../mod.ts"
import * as Bert from "../plugins/bert/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as Multitask from "../plugins/multitask/mod.ts"
import { beside, checkOutput, clearOutput, defined, flagsOf, main, namesOf, progress, RUN_FLAGS } from "./shared.ts"

const { mixing, temperature, gradientSurgery, patience } = Multitask.options
const { epochs, batchSize, learningRate, maxLength } = TRAINING
const { trace: _, ...running } = RUN_FLAGS

const flags = {
  task: Flag.KeyValuePair("task").pipe(Flag.withDescription("A task and its file, name=file; once for each task")),
  ...flagsOf({
    model: field.text({ default: beside("./models/espalier-1m"), absent: "the included one", doc: MODEL.path.doc! }),
    text: DATA.text,
    label: field.text({ absent: "label", doc: "Column of the label or score" }),
    regression: field.text({ absent: "none", doc: "Tasks whose labels are scores, separated by commas" }),
    mixing,
    temperature,
    uncertainty: field.boolean({ default: false, doc: "Learn the weights of the tasks' losses" }),
    gradientSurgery,
    patience,
    rank: Lora.options.r,
    epochs,
    batchSize,
    learningRate,
    maxLength,
    validation: DATA.validation,
    test: DATA.test,
    seed: field.integer({ minimum: 0, default: 42, doc: "Seed of split, new weights and order of examples" }),
    output: field.text({ default: "runs/multitask", doc: "Run folder" }),
    ...running,
  }),
}
type Options = Command.Command.Config.Infer<typeof flags>

/** The data of each task, split. */
const read = ({ task: files, text, label, regression = "", validation, test, seed }: Options) =>
  Effect.gen(function* () {
    const scored = namesOf(regression)
    const unknown = scored.find((name) => name !== "" && !(name in files))
    if (unknown !== undefined) {
      const message = `--regression names "${unknown}"; the tasks are ${Object.keys(files).join(", ")}`
      return yield* new DataError({ reason: "BadInput", message })
    }
    const all = yield* Effect.forEach(Object.entries(files), ([name, file]) => {
      const kind = scored.includes(name) ? "regression" : "classification"
      return Dataset.file(file, columnsOf(file, kind, defined({ text, label }))).pipe(
        Dataset.split({ validation, test, seed }),
        Effect.map((data) => [name, data] as const),
      )
    })
    return Object.fromEntries(all)
  })

const train = (options: Options) =>
  Effect.gen(function* () {
    const { model: path, output, seed, epochs, batchSize, learningRate, maxLength } = options
    yield* checkOutput(output, options)
    const data = yield* read(options)
    const names = Object.keys(data)
    const tasks: Record<string, Task> = {}
    for (const name of names) tasks[name] = taskOf(data[name].train)
    const model = yield* Model.load(path, { tasks, seed })
    const splitOf = (split: "train" | "validation") =>
      Object.fromEntries(names.map((name) => [name, data[name][split]] as const))
    yield* clearOutput(output, options)
    const run = yield* Trainer.fit(model, { train: splitOf("train"), validation: splitOf("validation") }, {
      ...{ epochs, batchSize, learningRate, maxLength, seed, runFolder: output, resume: options.resume },
      observe: progress(),
    })
    for (const name of names) {
      const { test } = data[name]
      if (test.rows.length === 0) continue
      const { metrics } = yield* Trainer.evaluate(model.view({ task: name }), test, { maxLength })
      const shown = Object.entries(metrics).map(([metric, value]) => `${metric} ${value.toFixed(4)}`).join("  ")
      yield* Console.log(`${name}, ${test.rows.length} test rows: ${shown}`)
    }
    yield* run.save(`${output}/adapters`)
    yield* Console.log(`adapters, a folder for each task: ${output}/adapters`)
  }).pipe(Effect.scoped)

const command = Command.make("multitask", flags, (options) => {
  const { mixing, temperature, gradientSurgery, patience, uncertainty, rank, threads } = options
  const mixture = defined({ mixing, temperature, gradientSurgery, patience })
  const methods = Layer.mergeAll(
    Lora.layer({ r: rank, loraAlpha: 2 * rank }),
    Multitask.layer({ ...mixture, ...uncertainty ? { lossWeights: "uncertainty" } : {} }),
    Bert.layer,
    Llama.layer,
  ).pipe(Layer.provideMerge(Espalier.layerWith({ wasm: defined({ threads }) })))
  return Effect.provide(train(options), methods)
}).pipe(
  Command.withDescription("Fine-tunes one LoRA adapter on several tasks at once"),
  Command.withExamples([{
    command: "deno run -P examples/multitask.ts --task spam=spam.csv --task topic=topic.csv",
    description: "Two classifiers over one adapter",
  }]),
)

if (import.meta.main) main(command)
