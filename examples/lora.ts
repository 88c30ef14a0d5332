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
import { columnProblems, columnsOf, KINDS } from "./_columns.ts"
import { readingFlags, readingOf } from "./_reading.ts"
import { type Settings, train } from "./_train.ts"

const flags = {
  model: Flag.String("model").pipe(
    Flag.withDescription("Hugging Face directory of the base model [the one that is included]"),
    Flag.withDefault(beside("./models/espalier-1m")),
  ),
  weights: Flag.Literals("weights", ["stored", "f32", "bf16", "f16"]).pipe(
    Flag.withDescription("What the model's frozen matrices are kept in [stored: what its file has]"),
    Flag.withDefault("stored"),
  ),
  head: Flag.Literals("head", ["stored", "new"]).pipe(
    Flag.withDescription("The model's own classifier, or a new one for other labels [stored]"),
    Flag.withDefault("stored"),
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("CSV, TSV, JSON, JSON Lines or text file [the SMS Spam Collection]"),
    Flag.withDefault(beside("./data/sms_spam.tsv")),
  ),
  text: text("text", "Column of the text [text]"),
  label: text("label", "Column of the label, of labels with commas, or of scores: as the task says [label]"),
  labels: text("labels", "Labels with commas, in the order of their ids [the model's, or those in the data, sorted]"),
  prompt: text("prompt", "Column of the prompt: learn to complete it"),
  completion: text("completion", "Column of the completion"),
  words: text("words", "Column of lists of words: learn a label for each"),
  tags: text("tags", "Column of lists of the words' labels"),
  ...readingFlags,
  task: Flag.Literals("task", KINDS).pipe(
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
  patience: whole("patience", "Stop after so many evaluations, one a pass, without progress [never]").pipe(
    Flag.optional,
  ),
  maxLength: whole("max-length", "Most tokens of an example; longer texts are cut [128]", 2).pipe(
    Flag.withDefault(128),
  ),
  rank: whole("rank", "Rank r of the update [8]").pipe(Flag.withDefault(8)),
  alpha: number("alpha", "The update is scaled by alpha / rank [16]").pipe(Flag.withDefault(16)),
  dropout: number("dropout", "Dropout on the input of the update [0.1]").pipe(Flag.withDefault(0.1)),
  targets: text("target-modules", "Names with commas, a regular expression, or all-linear [usual for the family]"),
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
  Command.withDescription("Fine-tunes a model with LoRA on a file of your own"),
  Command.withExamples([{
    command: "deno run -P examples/lora.ts --model ./smollm2 --data reviews.csv --text review --label stars",
    description: "A classifier of reviews",
  }]),
)

if (import.meta.main) main(command)
