/**
 * Teaches an encoder-decoder model to write a text for a text (summaries, sentences for data), with LoRA and with prefix
 * tuning, and prints ROUGE and BLEU on held-out rows in one table, the base beside them. Without `--model`, the base is a small
 * T5 that is trained here, from random weights, on the rows whose source is short; the methods then learn from the long ones.
 *
 * ```sh
 * deno task summarize --data e2e.csv --source mr --target ref
 * deno task summarize --data news.jsonl --source article --target summary --model ./flan-t5-small
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { saveTokenizer, trainBpe } from "../core/data/tokenizer/training/train_bpe.ts"
import { field } from "../core/options/mod.ts"
import { TRAINING } from "../core/run/mod.ts"
import { bleu, rouge } from "../core/tasks/measures/text/mod.ts"
import { Backend, Dataset, Model, Task, Tokenizer, Trainer } from "../mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as PrefixTuning from "../plugins/prefix_tuning/mod.ts"
import * as T5 from "../plugins/t5/mod.ts"
import { machine } from "./machine.ts"
import { checkOutput, clearOutput, flagsOf, main, progress, RUN_FLAGS } from "./shared.ts"

/** A whole number from 1. */
const count = (usual: number, doc: string) => field.integer({ minimum: 1, default: usual, doc })
const rate = (usual: number, doc: string) => ({ ...TRAINING.learningRate, default: usual, doc })

const flags = flagsOf({
  data: field.text({ required: true, doc: "File of rows with a source and a target" }),
  source: field.text({ default: "source", doc: "Column of the source" }),
  target: field.text({ default: "target", doc: "Column of the target" }),
  model: field.text({ absent: "a small T5 that is trained here", doc: "Directory of a T5, the base" }),
  maxLength: { ...TRAINING.maxLength, default: 256, doc: "Most tokens of a source, and of a target" },
  vocabulary: field.integer({ minimum: 258, default: 1024, doc: "Own base: vocabulary size of its tokenizer" }),
  hidden: count(96, "Own base: width"),
  layers: count(2, "Own base: layers of encoder and decoder each"),
  baseEpochs: count(8, "Own base: passes over the short rows"),
  baseLearningRate: rate(3e-3, "Own base: learning rate"),
  epochs: count(4, "Passes of each method over its rows"),
  rank: count(8, "LoRA: rank"),
  loraLearningRate: rate(2e-3, "LoRA: learning rate"),
  virtualTokens: count(10, "Prefix tuning: keys and values before those of the decoder"),
  prefixLearningRate: rate(1e-2, "Prefix tuning: learning rate"),
  batchSize: { ...TRAINING.batchSize, default: 16 },
  test: field.number({ minimum: 0.01, maximum: 0.5, default: 0.1, doc: "Share of the sources that are held out" }),
  numBeams: count(1, "Beams of the search for texts"),
  maxNewTokens: count(96, "Most tokens of a text"),
  seed: field.integer({ minimum: 0, default: 42, doc: "Seed of weights, splits and order" }),
  output: field.text({ default: "runs/summarize", doc: "Folder of the runs" }),
  overwrite: RUN_FLAGS.overwrite,
  threads: RUN_FLAGS.threads,
})

type Options = Command.Command.Config.Infer<typeof flags>
type Rows = Dataset.DataOf<{ readonly source: string; readonly target: string }>

/** Config of the small T5, gated and untied as version 1.1. */
const configOf = ({ hidden, layers }: Options, tokenizer: Tokenizer.Tokenizer) => ({
  model_type: "t5",
  vocab_size: tokenizer.vocabSize,
  d_model: hidden,
  d_kv: Math.ceil(hidden / 4),
  d_ff: 2 * hidden,
  num_layers: layers,
  num_heads: 4,
  feed_forward_proj: "gated-gelu",
  tie_word_embeddings: false,
  dropout_rate: 0,
  pad_token_id: tokenizer.padId,
  eos_token_id: tokenizer.eosId,
  decoder_start_token_id: tokenizer.padId,
})

/** The rows whose source is short, and the others, about as many. */
const byLength = (data: Rows): readonly [short: Rows, long: Rows] => {
  const lengths = data.rows.map(({ source }) => source.length).toSorted((a, b) => a - b)
  const middle = lengths[Math.floor(lengths.length / 2)]
  const part = (isShort: boolean): Rows => ({
    ...data,
    rows: data.rows.filter(({ source }) => source.length < middle === isShort),
  })
  return [part(true), part(false)]
}

/** Trains the small T5 and its tokenizer, and writes both. Gives their directory. */
const trainBase = (data: Rows, options: Options) =>
  Effect.gen(function* () {
    const { vocabulary, seed, batchSize, maxLength, baseEpochs: epochs, baseLearningRate: learningRate } = options
    const texts = data.rows.flatMap(({ source, target }) => [source, target])
    const trained = trainBpe(texts, {
      vocabSize: vocabulary,
      specialTokens: ["<pad>", "</s>"],
      eosToken: "</s>",
      padToken: "<pad>",
    })
    const tokenizer = yield* Tokenizer.makeTokenizer(trained.model, trained.config)
    const model = yield* Model.initialize(configOf(options, tokenizer), { task: Task.seq2seq(), seed })
    const run = yield* Trainer.fit(model, { train: data }, {
      ...{ tokenizer, seed, batchSize, maxLength, epochs, learningRate, schedule: "cosine", warmupRatio: 0.05 },
      runFolder: `${options.output}/base`,
      observe: progress(),
    })
    yield* Console.log(
      `base: ${run.totalParameters} parameters, ${data.rows.length} rows, ${Math.round(run.seconds)} s`,
    )
    const directory = `${options.output}/base/model`
    yield* Model.saveCheckpoint(model, directory)
    yield* saveTokenizer(directory, trained)
    return directory
  })

/** ROUGE and BLEU of a model on the held-out rows. */
const scored = (model: Model.Model, test: Rows, { numBeams, maxNewTokens }: Options) =>
  Trainer.evaluateTexts(model, test, { metrics: [rouge(), bleu()], numBeams, maxNewTokens })

const HEAD = ["model", "trained", "ROUGE-1", "ROUGE-2", "ROUGE-L", "BLEU"]
type Score = Effect.Success<ReturnType<typeof scored>>

const rowOf = (name: string, trained: number, { metrics }: Score): ReadonlyArray<string> => [
  name,
  String(trained),
  ...["rouge1", "rouge2", "rougeL"].map((kind) => metrics[kind].toFixed(3)),
  metrics.bleu.toFixed(1),
]

/** Trains one method over the base. Gives its row of the table and its texts. */
const tuned = (
  name: string,
  directory: string,
  [train, test]: readonly [Rows, Rows],
  learningRate: number,
  options: Options,
) =>
  Effect.gen(function* () {
    const { seed, batchSize, maxLength, epochs, output } = options
    const model = yield* Model.load(directory, { task: Task.seq2seq(), seed })
    const run = yield* Trainer.fit(model, { train }, {
      ...{ seed, batchSize, maxLength, epochs, learningRate, schedule: "cosine", warmupRatio: 0.05 },
      runFolder: `${output}/${name}`,
      observe: progress(),
    })
    yield* Model.saveAdapters(model, `${output}/${name}/adapter`)
    const score = yield* scored(model, test, options)
    return { row: rowOf(name, run.trainableParameters, score), score }
  }).pipe(Effect.scoped)

const program = (options: Options) =>
  Effect.gen(function* () {
    const { data: path, source, target, output, test: share, seed, overwrite, threads, rank, virtualTokens } = options
    const run = { resume: false, overwrite }
    for (const name of ["base", "lora", "prefix"]) yield* checkOutput(`${output}/${name}`, run)
    const { train, test } = yield* Dataset.file(path, { source, target }).pipe(
      Dataset.split({ validation: 0, test: share, seed }),
    )
    const [short, long] = options.model === undefined ? byLength(train) : [train, train]
    for (const name of ["base", "lora", "prefix"]) yield* clearOutput(`${output}/${name}`, run)
    const runtime = machine({ threads })
    const on = <I, E, R>(methods: Layer.Layer<I, E, R>) => Layer.provideMerge(Layer.merge(T5.layer, methods), runtime)
    const first = Effect.gen(function* () {
      yield* Console.log(`backend: ${(yield* Backend).info.description}`)
      const directory = options.model ?? (yield* Effect.scoped(trainBase(short, options)))
      const model = yield* Model.load(directory, { task: Task.seq2seq(), frozen: true })
      return { directory, score: yield* scored(model, test, options) }
    }).pipe(Effect.scoped)
    const base = yield* first.pipe(Effect.provide(on(Layer.empty), { local: true }))
    const parts = [long, test] as const
    const lora = yield* tuned("lora", base.directory, parts, options.loraLearningRate, options).pipe(
      Effect.provide(on(Lora.layer({ r: rank, loraAlpha: 2 * rank, targetModules: "all-linear" })), { local: true }),
    )
    const prefix = yield* tuned("prefix", base.directory, parts, options.prefixLearningRate, options).pipe(
      Effect.provide(on(PrefixTuning.layer({ numVirtualTokens: virtualTokens })), { local: true }),
    )
    const [{ prompt, text, references }] = lora.score.texts
    yield* Console.log(`source: ${prompt}\nwritten (LoRA): ${text}\nexpected: ${references[0]}`)
    for (const cells of [HEAD, rowOf("base", 0, base.score), lora.row, prefix.row]) {
      yield* Console.log(cells.join(" | "))
    }
    yield* Console.log(`${base.score.texts.length} held-out sources; adapters: ${output}/lora, ${output}/prefix`)
  })

const command = Command.make("summarize", flags, program).pipe(
  Command.withDescription("Teaches an encoder-decoder model to write a text for a text, and scores what it writes"),
)

if (import.meta.main) main(command)
