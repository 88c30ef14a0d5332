/**
 * Fine-tunes a model with LoRA on your own data: labelled texts or words (classification), prompts with completions, or
 * plain texts (language modelling). Without flags: the included model on the SMS Spam Collection.
 *
 * ```sh
 * deno run -P examples/lora.ts --model ./smollm2 --data reviews.csv --text review --label stars
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { DataError, Espalier } from "../mod.ts"
import * as Bert from "../plugins/bert/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import { beside, defined, given, main, number, text, threads, trace, whole } from "./_shared.ts"
import { columnProblems, columnsOf } from "./_columns.ts"
import { readingFlags, readingOf } from "./_reading.ts"
import { type Settings, train } from "./_train.ts"

const flags = {
  model: Flag.String("model").pipe(
    Flag.withDescription("Hugging Face directory of the base model [the included one]"),
    Flag.withDefault(beside("./models/espalier-1m")),
  ),
  weights: Flag.Literals("weights", ["stored", "f32", "bf16", "f16"]).pipe(
    Flag.withDescription("Number format of the model's frozen matrices [stored: as in its file]"),
    Flag.withDefault("stored"),
  ),
  head: Flag.Literals("head", ["stored", "new"]).pipe(
    Flag.withDescription("Keep the model's own classifier, or start a new one [stored]"),
    Flag.withDefault("stored"),
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("CSV, TSV, JSON, JSON Lines or text file [the SMS Spam Collection]"),
    Flag.withDefault(beside("./data/sms_spam.tsv")),
  ),
  text: text("text", "Column of the text [text]"),
  label: text("label", "Column of the label [label]"),
  labels: text(
    "labels",
    "Labels in the order of their ids, separated by commas [the model's, or those in the data, sorted]",
  ),
  prompt: text("prompt", "Column of the prompt"),
  completion: text("completion", "Column of the completion"),
  words: text("words", "Column with lists of words"),
  tags: text("tags", "Column with lists of the words' labels"),
  ...readingFlags,
  task: Flag.Literals("task", ["classification", "token-classification", "causal-lm", "masked-lm"]).pipe(
    Flag.withDescription("Task [from the columns; causal-lm with a prompt or a text file]"),
    Flag.optional,
  ),
  validation: number("validation", "Share of the rows for validation [0.1]").pipe(Flag.withDefault(0.1)),
  test: number("test", "Share of the rows for the test [0.2]").pipe(Flag.withDefault(0.2)),
  epochs: whole("epochs", "Passes over the data [5]").pipe(Flag.withDefault(5)),
  maxSteps: whole("max-steps", "Number of steps [given by epochs]").pipe(Flag.optional),
  batchSize: whole("batch-size", "Examples per micro-batch [16]").pipe(Flag.withDefault(16)),
  accumulation: whole("accumulation", "Micro-batches per step [1]").pipe(Flag.withDefault(1)),
  learningRate: number("learning-rate", "Highest learning rate [3e-3]").pipe(Flag.withDefault(3e-3)),
  schedule: Flag.Literals("schedule", ["linear", "cosine", "constant"]).pipe(
    Flag.withDescription("Schedule of the learning rate after the warm-up [linear]"),
    Flag.withDefault("linear"),
  ),
  warmup: number("warmup-ratio", "Share of the steps used for warm-up [0.06]").pipe(Flag.withDefault(0.06)),
  weightDecay: number("weight-decay", "Weight decay [0]").pipe(Flag.withDefault(0)),
  patience: whole("patience", "Stop after this many evaluations (one per pass) without progress [never]").pipe(
    Flag.optional,
  ),
  maxLength: whole("max-length", "Maximum tokens per example; longer texts are cut [128]", 2).pipe(
    Flag.withDefault(128),
  ),
  rank: whole("rank", "LoRA rank r [8]").pipe(Flag.withDefault(8)),
  alpha: number("alpha", "LoRA alpha; the update is scaled by alpha / rank [16]").pipe(Flag.withDefault(16)),
  dropout: number("dropout", "Dropout on the input of the update [0.1]").pipe(Flag.withDefault(0.1)),
  targets: text(
    "target-modules",
    "Names separated by commas, a regular expression, or all-linear [the family's default]",
  ),
  seed: whole("seed", "Seed of split, new weights and order of examples [42]", 0).pipe(Flag.withDefault(42)),
  output: Flag.String("output").pipe(Flag.withDescription("Run folder [runs/demo]"), Flag.withDefault("runs/demo")),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("Resume the run in the output folder"),
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

const namesOf = (text: string) => text.split(",").map((name) => name.trim())

const targetsOf = (text: string) => text === "all-linear" || /[*+?()[\]\\|^$]/.test(text) ? text : namesOf(text)

const columnNames = ({ text, label, prompt, completion, words, tags }: Options) => ({
  text: given(text),
  label: given(label),
  prompt: given(prompt),
  completion: given(completion),
  words: given(words),
  tags: given(tags),
})

const settingsOf = (options: Options): Settings => {
  const { model, weights, head, data, validation, test, seed, output, resume, overwrite, trace } = options
  const { epochs, batchSize, learningRate, schedule, weightDecay, maxLength } = options
  const task = given(options.task)
  const reading = readingOf(options, data)
  return {
    title: `LoRA on ${data}`,
    model,
    weights,
    head,
    data,
    columns: columnsOf(data, task, columnNames(options), reading.format),
    reading,
    labels: given(Option.map(options.labels, namesOf)),
    task,
    validation,
    test,
    training: {
      epochs,
      batchSize,
      gradientAccumulationSteps: options.accumulation,
      learningRate,
      schedule,
      warmupRatio: options.warmup,
      weightDecay,
      maxLength,
      ...defined({ maxSteps: given(options.maxSteps) }),
    },
    patience: given(options.patience),
    seed,
    output,
    resume,
    overwrite,
    trace,
    config: { lora: loraOptions(options) },
  }
}

const loraOptions = ({ rank, alpha, dropout, targets }: Options): Lora.LoraOptions => ({
  r: rank,
  loraAlpha: alpha,
  loraDropout: dropout,
  ...defined({ targetModules: given(Option.map(targets, targetsOf)) }),
})

const command = Command.make("lora", flags, (options) => {
  const problems = columnProblems(columnNames(options), given(options.task))
  if (problems.length > 0) return Effect.fail(new DataError({ reason: "BadInput", message: problems.join("\n") }))
  const base = Espalier.layerWith({ wasm: defined({ threads: given(options.threads) }) })
  const methods = Layer.mergeAll(Lora.layer(loraOptions(options)), Bert.layer, Llama.layer).pipe(
    Layer.provideMerge(base),
  )
  return Effect.provide(train(settingsOf(options)), methods)
}).pipe(
  Command.withDescription("Fine-tunes a model with LoRA on your own data"),
  Command.withExamples([{
    command: "deno run -P examples/lora.ts --model ./smollm2 --data reviews.csv --text review --label stars",
    description: "A classifier of reviews",
  }]),
)

if (import.meta.main) main(command)
