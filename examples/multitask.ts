/**
 * Fine-tunes one LoRA adapter on several tasks at once, each in a file of its own: texts with a label, or with a score.
 *
 * ```sh
 * deno run -P examples/multitask.ts --model ./minilm --task spam=spam.csv --task stars=stars.csv --regression stars
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { field } from "../core/options/mod.ts"
import { DATA, MODEL, type RunSpec, TRAINING } from "../core/run/mod.ts"
import { DataError } from "../mod.ts"
import * as Multitask from "../plugins/multitask/mod.ts"
import * as Lora from "./lora.ts"
import { beside, defined, flagsOf, main, namesOf, RUN_FLAGS } from "./shared.ts"

const METHODS = { ...Lora.METHODS, multitask: Multitask }
const { mixing, temperature, gradientSurgery, patience } = Multitask.options
const { epochs, batchSize, learningRate, maxLength } = TRAINING

const flags = {
  task: Flag.KeyValuePair("task").pipe(Flag.withDescription("A task and its file, name=file; once for each task")),
  lossWeight: Flag.KeyValuePair("loss-weight").pipe(
    Flag.withDescription("Factor on a task's loss, name=number; default 1"),
    Flag.withDefault({}),
  ),
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
    rank: Lora.TABLE.rank,
    epochs,
    batchSize,
    learningRate,
    maxLength,
    validation: DATA.validation,
    test: DATA.test,
    seed: Lora.TABLE.seed,
    output: field.text({ default: "runs/multitask", doc: "Run folder" }),
    ...RUN_FLAGS,
  }),
}
type Options = Command.Command.Config.Infer<typeof flags>

/** The run that the flags say. */
const specOf = (options: Options): RunSpec => {
  const { model: path, task: files, text, label, regression, validation, test, rank, seed, output } = options
  const { mixing, temperature, gradientSurgery, patience } = options
  const { epochs, batchSize, learningRate, maxLength } = options
  const scored = namesOf(regression ?? "")
  const tasks = Object.entries(files).map(([name, path]) =>
    [name, {
      data: { path, validation, test, ...defined({ text, label }) },
      task: scored.includes(name) ? "regression" : "classification",
    }] as const
  )
  const factors = Object.entries(options.lossWeight).map(([name, factor]) => [name, Number(factor)] as const)
  const lossWeights = options.uncertainty ? "uncertainty" : Object.fromEntries(factors)
  const mixture = defined({ mixing, temperature, lossWeights, gradientSurgery, patience })
  return {
    model: { path },
    tasks: Object.fromEntries(tasks),
    methods: [
      { method: "lora", r: rank, loraAlpha: 2 * rank },
      { method: "multitask", ...mixture },
    ],
    training: { epochs, batchSize, learningRate, maxLength },
    seed,
    output,
  }
}

const train = (options: Options) =>
  Effect.gen(function* () {
    const names = Object.keys(options.task)
    const unknown = namesOf(options.regression ?? "").find((name) => name !== "" && !names.includes(name))
    if (unknown !== undefined) {
      const message = `--regression names "${unknown}"; the tasks are ${names.join(", ")}`
      return yield* new DataError({ reason: "BadInput", message })
    }
    if (options.uncertainty && Object.keys(options.lossWeight).length > 0) {
      const message = "--uncertainty learns the weights of the losses, and --loss-weight gives them: leave one out"
      return yield* new DataError({ reason: "BadInput", message })
    }
    return yield* Lora.runSpec(specOf(options), METHODS, options)
  })

const command = Command.make("multitask", flags, train).pipe(
  Command.withDescription("Fine-tunes one LoRA adapter on several tasks at once"),
  Command.withExamples([{
    command: "deno run -P examples/multitask.ts --task spam=spam.csv --task topic=topic.csv",
    description: "Two classifiers over one adapter",
  }]),
)

if (import.meta.main) main(command)
