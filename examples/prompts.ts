/**
 * What does a fine-tuning bring beside a good prompt? On one data set of texts with labels: no examples, examples chosen in several
 * ways, a searched instruction, and LoRA on the same rows, judged on the same held-out rows. Prints a Markdown table and writes
 * it into the run's report. Without flags: the included tiny model and the SMS data, which shows the way in a minute or so.
 *
 * ```sh
 * deno task prompts
 * deno task prompts --model ./smollm2.gguf --encoder ./minilm --data sst2.tsv --text sentence --label label \
 *   --words "0=negative,1=positive" --input "Review: " --answer "Sentiment:"
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { field } from "../core/options/mod.ts"
import { TRAINING } from "../core/run/mod.ts"
import { DataError, Dataset, Model, Task, Tokenizer, Trainer } from "../mod.ts"
import { families } from "../plugins/all/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as Prompts from "../plugins/prompts/mod.ts"
import * as Retrieval from "../plugins/retrieval/mod.ts"
import { machine } from "./machine.ts"
import { beside, checkOutput, clearOutput, flagsOf, main, progress, RUN_FLAGS } from "./shared.ts"

/** A whole number from 1. */
const count = (usual: number, doc: string) => field.integer({ minimum: 1, default: usual, doc })

/** Ways to choose examples by name. */
const CHOICES: Readonly<Record<string, (seed: number) => Prompts.Choice>> = {
  random: (seed) => Prompts.random({ seed }),
  "balanced-random": (seed) => Prompts.balanced(Prompts.random({ seed })),
  covering: () => Prompts.covering(),
  similar: () => Prompts.similar(),
  diverse: () => Prompts.diverse(),
  "balanced-similar": () => Prompts.balanced(Prompts.similar()),
}

const flags = flagsOf({
  data: field.text({ default: beside("./data/sms_spam.tsv"), doc: "File of texts with labels" }),
  text: field.text({ default: "SMS", doc: "Column of the text" }),
  label: field.text({ default: "Label", doc: "Column of the label" }),
  words: field.list(field.text({}), { absent: "the labels", doc: "How the model says labels, such as 0=bad,1=good" }),
  input: field.text({ default: "Message: ", doc: "What stands before a text in a prompt" }),
  answer: field.text({ default: "Kind:", doc: "What stands before a label in a prompt" }),
  instructions: field.list(field.text({}), {
    default: ["Classify each text.", "Say what kind of text this is.", "Read the text and answer with its kind."],
    doc: "First parts of the instructions that are searched",
  }),
  model: field.text({ default: beside("./models/espalier-1m"), doc: "Directory, GGUF file, or hf:owner/name" }),
  encoder: field.text({ absent: "that of --model", doc: "Model that embeds texts, to choose examples" }),
  train: count(200, "Rows that examples are chosen from, and that LoRA learns from"),
  development: count(48, "Rows that judge instructions"),
  test: count(100, "Rows that judge all"),
  choices: field.list(field.choice(Object.keys(CHOICES), {}), {
    default: Object.keys(CHOICES),
    doc: `Ways to choose examples: ${Object.keys(CHOICES).join(", ")}`,
  }),
  shots: count(8, "Examples of a prompt"),
  maxTokens: field.integer({
    minimum: 1,
    absent: "the model's positions",
    doc: "Most tokens of a prompt with examples",
  }),
  budget: count(480, "Calls of the instruction search"),
  proposals: field.integer({ minimum: 0, default: 2, doc: "Instructions that the model itself proposes in a round" }),
  epochs: count(3, "LoRA: passes over the rows"),
  rank: count(8, "LoRA: rank"),
  learningRate: { ...TRAINING.learningRate, default: 2e-3, doc: "LoRA: learning rate" },
  batchSize: { ...TRAINING.batchSize, default: 8 },
  seed: field.integer({ minimum: 0, default: 42, doc: "Seed of splits, draws and weights" }),
  output: field.text({ default: "runs/prompts", doc: "Folder of the run" }),
  overwrite: RUN_FLAGS.overwrite,
  threads: RUN_FLAGS.threads,
})

type Options = Command.Command.Config.Infer<typeof flags>
type Part = ReadonlyArray<Prompts.Example>

/** What a way of asking gives on the test rows. */
interface Result {
  readonly name: string
  readonly accuracy: number
  readonly macroF1: number
  readonly calibrated: number
  readonly tokens: number
  readonly seconds: number
}

/** Words by label. */
const wordsOf = ({ words = [] }: Options): ReadonlyMap<string, string> =>
  new Map(words.map((one) => {
    const at = one.indexOf("=")
    return [one.slice(0, at), one.slice(at + 1)] as const
  }))

/** Rows to choose and learn from, to search with, and to judge with; texts are there once. */
const partsOf = (options: Options) =>
  Effect.gen(function* () {
    const { data, text, label, train, development, test, seed } = options
    const words = wordsOf(options)
    const split = yield* Dataset.file(data, { text, label }).pipe(
      Dataset.split({ validation: 0.2, test: 0.4, seed }),
    )
    const { labels } = split.train
    const without = labels.filter((label) => words.size > 0 && !words.has(label))
    if (without.length > 0) {
      return yield* new DataError({ reason: "Label", message: `--words has no word for ${without.join(", ")}` })
    }
    const answers = labels.map((label) => words.get(label) ?? label)
    const examples = (rows: Dataset.LabeledData, most: number): Part =>
      rows.rows.slice(0, most).map(({ text, label }) => ({
        input: text.trim(),
        output: answers[label],
      }))
    return {
      answers,
      completions: answers.map(formatOf(options).completion),
      train: examples(split.train, train),
      development: examples(split.validation, development),
      test: examples(split.test, test),
    }
  })
type Parts = Effect.Success<ReturnType<typeof partsOf>>

const formatOf = ({ input, answer }: Options, instruction = "") =>
  Prompts.promptFormat({ instruction, input, output: answer })

const shareOf = (found: ReadonlyArray<number>, rows: Part, answers: ReadonlyArray<string>): number =>
  found.filter((answer, i) => answers[answer] === rows[i].output).length / rows.length

/** The mean of the labels' F1. */
const macroF1 = (found: ReadonlyArray<number>, rows: Part, answers: ReadonlyArray<string>): number => {
  const scores = answers.map((answer, label) => {
    const hits = found.filter((one, i) => one === label && rows[i].output === answer).length
    const told = found.filter((one) => one === label).length + rows.filter(({ output }) => output === answer).length
    return told === 0 ? 0 : 2 * hits / told
  })
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}

/** Judges prompts for the test rows. Calibration takes the mean score of each answer over all prompts from it. */
const judged = (
  name: string,
  { model, tokenizer }: Asked,
  prompts: ReadonlyArray<string>,
  { completions, answers, test }: Parts,
) =>
  Effect.gen(function* () {
    const start = performance.now()
    const scores = yield* Prompts.labelScores(model, prompts, completions, { batchSize: 8 })
    const seconds = (performance.now() - start) / 1000
    const [found, after] = [scores, Prompts.calibrated(scores, scores)].map(Prompts.bestOf)
    const accuracy = shareOf(found, test, answers), calibrated = shareOf(after, test, answers)
    const tokens = prompts.reduce((sum, prompt) => sum + tokenizer.encode(prompt).length, 0) / prompts.length
    yield* Console.log(`${name}: accuracy ${accuracy.toFixed(3)}, calibrated ${calibrated.toFixed(3)}`)
    return { name, accuracy, macroF1: macroF1(found, test, answers), calibrated, tokens, seconds } satisfies Result
  })

/** A model that is asked, with its tokenizer. */
interface Asked {
  readonly model: Model.Model
  readonly tokenizer: Tokenizer.Tokenizer
}

/** Prompts without examples. */
const alone = (format: Prompts.PromptFormat, rows: Part) => rows.map(({ input }) => format.prompt(input, []))

/** Examples chosen in each way. */
const withExamples = (asked: Asked, encoder: Retrieval.Encoder, parts: Parts, options: Options) => {
  const { model, tokenizer } = asked
  // An answer follows the prompt, and special tokens may stand around both.
  const longest = Math.max(...parts.completions.map((text) => tokenizer.encode(text).length))
  const room = model.network.maxPositions - longest - 2
  return Effect.forEach(
    options.choices.map((name) => CHOICES[name](options.seed)),
    (choose) =>
      Effect.gen(function* () {
        const { prompts } = yield* Prompts.fewShot(parts.train, {
          choose,
          count: options.shots,
          maxTokens: Math.min(options.maxTokens ?? room, room),
          tokenizer,
          encoder,
          labels: parts.answers,
          format: formatOf(options),
        })
        const made = yield* prompts(parts.test.map(({ input }) => input))
        return yield* judged(`${options.shots} examples, ${choose.name}`, asked, made.map(({ text }) => text), parts)
      }),
  )
}

/** The best instruction for the development rows: by fragments, and by what the model proposes. */
const instructed = (asked: Asked, parts: Parts, options: Options) =>
  Effect.gen(function* () {
    const { budget, seed, proposals, instructions } = options
    const { answers, completions, development } = parts
    const given = Prompts.fragments([
      instructions,
      ["", `The answers are ${answers.join(", ")}.`, `Choose from: ${answers.join(", ")}.`],
      ["", "Answer with one word."],
    ])
    const own = Prompts.byModel(asked.model, { count: proposals, examples: development.slice(0, 2) })
    const found = yield* Prompts.searchInstruction({
      propose: {
        name: "fragments and model",
        propose: (seen) =>
          Effect.all([given.propose(seen), proposals === 0 ? Effect.succeed([]) : own.propose(seen)]).pipe(
            Effect.map((all) => all.flat()),
          ),
      },
      score: (instruction, rows) => {
        const own = rows.map((row) => development[row])
        return Effect.map(
          Prompts.labelScores(asked.model, alone(formatOf(options, instruction), own), completions),
          (scores) => Prompts.bestOf(scores).map((best, i) => answers[best] === own[i].output ? 1 : 0),
        )
      },
      rows: development.length,
      ...{ budget, seed },
    })
    const { best: { instruction, score }, tried, calls } = found
    yield* Console.log(
      `instruction (${
        score.toFixed(3)
      } on ${development.length} rows, ${tried.length} tried, ${calls} calls): ${instruction}`,
    )
    return yield* judged("searched instruction", asked, alone(formatOf(options, instruction), parts.test), parts)
  })

const HEAD = ["", "Accuracy", "Macro-F1", "Calibrated accuracy", "Tokens a prompt", "Seconds a prompt"]

/** The table, the same in the report and on the terminal. */
const rowsOf = (results: ReadonlyArray<Result>, { test }: Parts): ReadonlyArray<ReadonlyArray<string>> =>
  results.map(({ name, accuracy, macroF1, calibrated, tokens, seconds }) => [
    name,
    ...[accuracy, macroF1, calibrated].map((share) => share.toFixed(3)),
    tokens.toFixed(0),
    (seconds / test.length).toFixed(2),
  ])

const asked = (path: string, seed: number) =>
  Effect.gen(function* () {
    const model = yield* Model.load(path, { task: Task.causalLM(), frozen: true, seed })
    return { model, tokenizer: yield* Tokenizer.loadTokenizer(path) }
  })

/** What prompts alone give. */
const prompted = (parts: Parts, options: Options) =>
  Effect.gen(function* () {
    const own = yield* asked(options.model, options.seed)
    const encoder = options.encoder === undefined
      ? Retrieval.encoder(own.model)
      : yield* Retrieval.loadEncoder(options.encoder)
    const none = yield* judged("no example", own, alone(formatOf(options), parts.test), parts)
    const examples = yield* withExamples(own, encoder, parts, options)
    return [none, ...examples, yield* instructed(own, parts, options)]
  }).pipe(Effect.scoped)

/** What LoRA gives with the plain prompt, and the run's report with all. */
const tuned = (before: ReadonlyArray<Result>, parts: Parts, options: Options) =>
  Effect.gen(function* () {
    const { seed, epochs, batchSize, learningRate, output } = options
    const own = yield* asked(options.model, seed)
    const format = formatOf(options)
    const rows = parts.train.map(({ input, output }) => ({
      prompt: format.prompt(input, []),
      completion: format.completion(output),
    }))
    const train = yield* Dataset.rows(rows, { prompt: "prompt", completion: "completion" })
    const run = yield* Trainer.fit(own.model, { train }, {
      ...{ seed, epochs, batchSize, learningRate, schedule: "cosine", warmupRatio: 0.05 },
      runFolder: output,
      observe: progress(),
    })
    yield* run.save(`${output}/adapter`)
    const lora = yield* judged(`LoRA on ${parts.train.length} rows`, own, alone(format, parts.test), parts)
    const table = rowsOf([...before, lora], parts)
    yield* run.report({
      title: "Prompts and fine-tuning",
      facts: { "Data": options.data },
      evaluations: [],
      samples: [],
      sections: [{
        title: "Prompts beside fine-tuning",
        text: `${parts.test.length} held-out texts; examples and LoRA from the same ${parts.train.length} rows.`,
        table: { head: HEAD, rows: table },
      }],
    })
    return table
  }).pipe(Effect.scoped)

const program = (options: Options) =>
  Effect.gen(function* () {
    const run = { resume: false, overwrite: options.overwrite }
    yield* checkOutput(options.output, run)
    const parts = yield* partsOf(options)
    yield* clearOutput(options.output, run)
    const on = <I, E, R>(methods: Layer.Layer<I, E, R>) =>
      Layer.merge(families, methods).pipe(Layer.provideMerge(machine(options)))
    const before = yield* prompted(parts, options).pipe(Effect.provide(on(Layer.empty), { local: true }))
    const { rank } = options
    const lora = Lora.layer({ r: rank, loraAlpha: 2 * rank, targetModules: "all-linear" })
    const table = yield* tuned(before, parts, options).pipe(Effect.provide(on(lora), { local: true }))
    for (const cells of [HEAD, HEAD.map(() => "---"), ...table]) yield* Console.log(`| ${cells.join(" | ")} |`)
  })

const command = Command.make("prompts", flags, program).pipe(
  Command.withDescription("Compares few-shot prompts, a searched instruction and LoRA on the same rows"),
)

if (import.meta.main) main(command)
