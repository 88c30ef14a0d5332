/**
 * Fine-tunes a model with LoRA on a file of your own: labelled texts or words (classification), prompts with completions,
 * or plain texts (language modelling). Without any flag: the model that is included, on the SMS Spam Collection.
 *
 * ```sh
 * deno run -P examples/lora.ts --model ./smollm2 --data reviews.csv --text review --label stars
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Backend, Dataset, Espalier, Model, Task, Trainer } from "../mod.ts"
import * as Bert from "../plugins/bert/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import {
  beside,
  checkOutput,
  clearOutput,
  defined,
  given,
  main,
  number,
  progress,
  text,
  threads,
  trace,
  traceStep,
  whole,
} from "./_shared.ts"

const flags = {
  model: Flag.String("model").pipe(
    Flag.withDescription("Hugging Face directory of the base model [the one that is included]"),
    Flag.withDefault(beside("./models/espalier-1m")),
  ),
  weights: Flag.Literals("weights", ["stored", "f32", "bf16", "f16"]).pipe(
    Flag.withDescription("What the model's frozen matrices are kept in [stored: what its file has]"),
    Flag.withDefault("stored"),
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("CSV, TSV, JSON, JSON Lines or text file [the SMS Spam Collection]"),
    Flag.withDefault(beside("./data/sms_spam.tsv")),
  ),
  text: text("text", "Column of the text [text]"),
  label: text("label", "Column of the label [label]"),
  prompt: text("prompt", "Column of the prompt: learn to complete it"),
  completion: text("completion", "Column of the completion"),
  words: text("words", "Column of lists of words: learn a label for each"),
  tags: text("tags", "Column of lists of the words' labels"),
  task: Flag.Literals("task", ["classification", "token-classification", "causal-lm", "masked-lm"]).pipe(
    Flag.withDescription("What to learn [as the columns say; causal-lm with a prompt or a text file]"),
    Flag.optional,
  ),
  validation: number("validation", "Share of the rows to choose by [0.1]").pipe(Flag.withDefault(0.1)),
  test: number("test", "Share of the rows to judge by [0.2]").pipe(Flag.withDefault(0.2)),
  epochs: whole("epochs", "Passes over the data [5]").pipe(Flag.withDefault(5)),
  maxSteps: whole("max-steps", "Steps after which training ends [as epochs say]").pipe(Flag.optional),
  batchSize: whole("batch-size", "Examples of a micro-batch [16]").pipe(Flag.withDefault(16)),
  accumulation: whole("accumulation", "Micro-batches of a step [1]").pipe(Flag.withDefault(1)),
  learningRate: number("learning-rate", "Highest learning rate [3e-3]").pipe(Flag.withDefault(3e-3)),
  schedule: Flag.Literals("schedule", ["linear", "cosine", "constant"]).pipe(
    Flag.withDescription("Course of the learning rate after the warm-up [linear]"),
    Flag.withDefault("linear"),
  ),
  warmup: number("warmup-ratio", "Share of the steps over which the rate rises [0.06]").pipe(Flag.withDefault(0.06)),
  weightDecay: number("weight-decay", "Weight decay [0]").pipe(Flag.withDefault(0)),
  patience: whole("patience", "Stop after so many epochs without progress [never]").pipe(Flag.optional),
  maxLength: whole("max-length", "Most tokens of an example; longer texts are cut [128]", 2).pipe(
    Flag.withDefault(128),
  ),
  rank: whole("rank", "Rank r of the update [8]").pipe(Flag.withDefault(8)),
  alpha: number("alpha", "The update is scaled by alpha / rank [16]").pipe(Flag.withDefault(16)),
  dropout: number("dropout", "Dropout on the input of the update [0]").pipe(Flag.withDefault(0)),
  targets: Flag.String("target-modules").pipe(
    Flag.withDescription("Names with commas, a regular expression, or all-linear [q_proj,v_proj]"),
    Flag.withDefault("q_proj,v_proj"),
  ),
  seed: whole("seed", "Seed of split, new weights and order [42]", 0).pipe(Flag.withDefault(42)),
  output: Flag.String("output").pipe(Flag.withDescription("Run folder [runs/demo]"), Flag.withDefault("runs/demo")),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("Go on with the run in the output folder"),
    Flag.withDefault(false),
  ),
  overwrite: Flag.Boolean("overwrite").pipe(
    Flag.withDescription("Replace the run in the output folder"),
    Flag.withDefault(false),
  ),
  trace,
  threads,
}

type Options = Command.Command.Config.Infer<typeof flags>

/** The columns that were named, or those that the included data has. */
const columnsOf = (options: Options): Dataset.Columns => {
  const { prompt, completion } = options
  if (given(prompt) !== undefined || given(completion) !== undefined) {
    return { prompt: given(prompt) ?? "prompt", completion: given(completion) ?? "completion" }
  }
  const { words, tags } = options
  const task = given(options.task)
  if (given(words) !== undefined || given(tags) !== undefined || task === "token-classification") {
    return { words: given(words) ?? "words", tags: given(tags) ?? "tags" }
  }
  const included = options.data.endsWith("sms_spam.tsv")
  const column = given(options.text) ?? (included ? "SMS" : "text")
  const plain = task === "causal-lm" || task === "masked-lm" || Dataset.formatOf(options.data) === "text"
  return plain ? { text: column } : { text: column, label: given(options.label) ?? (included ? "Label" : "label") }
}

const taskOf = (data: Dataset.Data, options: Options): Task => {
  if (data.kind === "classification") return Task.classification(data.labels)
  if (data.kind === "tagged") return Task.tokenClassification(data.labels)
  return given(options.task) === "masked-lm" ? Task.maskedLM() : Task.causalLM()
}

const targetsOf = (text: string) => text === "all-linear" || /[*+?()[\]\\|^$]/.test(text) ? text : text.split(",")

/** Four digits are enough for people. */
const line = (metrics: Readonly<Record<string, number>>) =>
  Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`).join("  ")

const program = (options: Options) =>
  Effect.gen(function* () {
    const { weights, epochs, batchSize, learningRate, schedule, weightDecay, maxLength, seed, output, resume } = options
    yield* checkOutput(output, options)
    const backend = yield* Backend
    yield* Console.log(`backend: ${backend.info.description}`)

    const { validation, test } = options
    const data = yield* Dataset.file(options.data, columnsOf(options)).pipe(Dataset.split({ validation, test, seed }))
    yield* Console.log(
      `data: ${options.data}, ${data.train.rows.length} rows to train on, ${data.validation.rows.length} to choose by, ` +
        `${data.test.rows.length} to judge by; ${data.removedDuplicates} duplicates left out`,
    )
    const task = taskOf(data.train, options)
    const model = yield* Model.load(options.model, { task, seed, weights })
    for (const note of model.notes) yield* Console.log(`model: ${note}`)

    const evaluation = { maxLength, batchSize: 32 }
    const judge = (rows: Dataset.Data) => Trainer.evaluate(model, rows, evaluation)
    const judged = data.test.rows.length > 0
      ? data.test
      : data.validation.rows.length > 0
      ? data.validation
      : data.train
    const before = yield* judge(judged)
    yield* Console.log(`before: ${line(before.metrics)}`)

    yield* clearOutput(output, options)
    const run = yield* Trainer.fit(model, data, {
      epochs,
      batchSize,
      gradientAccumulationSteps: options.accumulation,
      learningRate,
      schedule,
      warmupRatio: options.warmup,
      weightDecay,
      maxLength,
      seed,
      runFolder: output,
      resume,
      observe: progress(),
      config: { data: options.data, weights, lora: loraOptions(options), validation, test },
      ...defined({ maxSteps: given(options.maxSteps) }),
      ...traceStep(options.trace),
      ...(data.validation.rows.length === 0 ? {} : { earlyStopping: stopping(options, task) }),
    })
    const after = yield* judge(judged)
    yield* Console.log(`after: ${line(after.metrics)}`)

    const adapter = `${output}/adapter`
    yield* run.save(adapter)
    yield* run.report({
      title: `LoRA on ${options.data}`,
      facts: { data: options.data, task: task.kind },
      evaluations: [{ name: "before", metrics: before.metrics }, { name: "after", metrics: after.metrics }],
      ...(after.classification === undefined ? {} : { classification: after.classification }),
      samples: after.predictions.slice(0, 20).map(({ label, ...rest }) => ({ ...rest, predicted: label })),
    })
    yield* run.summarize({ base: before.metrics, test: after.metrics, backend: backend.info.name, adapter })
    yield* Console.log(`adapter: ${adapter}, report: ${output}/report.html`)
  }).pipe(Effect.scoped)

/** Classes are seldom of one size: macro-F1 chooses the weights, where a loss may rise while it does. */
const stopping = ({ patience, epochs }: Options, task: Task): Trainer.EarlyStopping => ({
  patience: given(patience) ?? epochs + 1,
  metric: task.kind === "causal-lm" || task.kind === "masked-lm" ? "loss" : "macroF1",
})

const loraOptions = ({ rank, alpha, dropout, targets }: Options) => ({
  r: rank,
  loraAlpha: alpha,
  loraDropout: dropout,
  targetModules: targetsOf(targets),
})

const command = Command.make("lora", flags, (options) => {
  const base = Espalier.layerWith({ wasm: defined({ threads: given(options.threads) }) })
  const methods = Layer.mergeAll(Lora.layer(loraOptions(options)), Bert.layer, Llama.layer).pipe(
    Layer.provideMerge(base),
  )
  return Effect.provide(program(options), methods)
}).pipe(
  Command.withDescription("Fine-tunes a model with LoRA on a file of your own"),
  Command.withExamples([{
    command: "deno run -P examples/lora.ts --model ./smollm2 --data reviews.csv --text review --label stars",
    description: "A classifier of reviews",
  }]),
)

if (import.meta.main) main(command)
