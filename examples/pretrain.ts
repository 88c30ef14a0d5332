/**
 * Pretrains a small Llama-family model from plain texts: trains a byte-level BPE tokenizer, then the model, and saves a
 * checkpoint that transformers loads. Without flags: about a million parameters, on the included texts.
 *
 * ```sh
 * deno run -P examples/pretrain.ts --text corpus.txt --minutes 7 --output runs/tiny
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Backend, Dataset, Espalier, Model, saveTokenizer, Task, Tokenizer, trainBpe, Trainer } from "../mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import {
  beside,
  checkOutput,
  clearOutput,
  defined,
  given,
  main,
  number,
  progress,
  threads,
  trace,
  traceStep,
  whole,
} from "./_shared.ts"

const flags = {
  text: Flag.String("text").pipe(
    Flag.withDescription(
      "Plain text file (also .gz) with blank lines between documents; can be given several times [the included one]",
    ),
    Flag.atLeast(0),
  ),
  vocabulary: whole("vocabulary", "Vocabulary size of the tokenizer [2048]", 258).pipe(Flag.withDefault(2048)),
  hidden: whole("hidden", "Width of the model [128]").pipe(Flag.withDefault(128)),
  layers: whole("layers", "Number of layers [4]").pipe(Flag.withDefault(4)),
  heads: whole("heads", "Attention heads [4]").pipe(Flag.withDefault(4)),
  keyValueHeads: whole("kv-heads", "Key and value heads [2]").pipe(Flag.withDefault(2)),
  feedForward: whole("ffn", "Width of the feed-forward layers [352]").pipe(Flag.withDefault(352)),
  positions: whole("positions", "Maximum sequence length of the model [512]").pipe(Flag.withDefault(512)),
  block: whole("block", "Tokens per training block [128]", 2).pipe(Flag.withDefault(128)),
  batchSize: whole("batch-size", "Blocks per step [16]").pipe(Flag.withDefault(16)),
  learningRate: number("learning-rate", "Highest learning rate [3e-3]").pipe(Flag.withDefault(3e-3)),
  weightDecay: number("weight-decay", "Weight decay [0.01]").pipe(Flag.withDefault(0.01)),
  steps: whole("steps", "Number of steps, instead of --minutes").pipe(Flag.optional),
  minutes: number("minutes", "Minutes of training, estimated from a few trial steps [7]").pipe(Flag.withDefault(7)),
  seed: whole("seed", "Seed of weights and order of texts [42]", 0).pipe(Flag.withDefault(42)),
  output: Flag.String("output").pipe(
    Flag.withDescription("Run folder; the model is written to its folder model/ [runs/pretrain]"),
    Flag.withDefault("runs/pretrain"),
  ),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("Resume the run in the output folder; needs --steps"),
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

/** Documents of the files, in order. */
const readDocuments = (paths: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const documents: string[] = []
    for (const path of paths) {
      const bytes = yield* fs.readFile(path)
      const text = yield* Effect.promise(() => {
        const body = new Response(bytes as Uint8Array<ArrayBuffer>).body!
        return new Response(path.endsWith(".gz") ? body.pipeThrough(new DecompressionStream("gzip")) : body).text()
      })
      documents.push(...text.split(/\n\s*\n/).map((document) => document.trim()).filter((document) => document !== ""))
    }
    return documents
  })

const configOf = (options: Options, tokenizer: Tokenizer.Tokenizer) => ({
  model_type: "llama",
  vocab_size: tokenizer.vocabSize,
  hidden_size: options.hidden,
  intermediate_size: options.feedForward,
  num_hidden_layers: options.layers,
  num_attention_heads: options.heads,
  num_key_value_heads: options.keyValueHeads,
  max_position_embeddings: options.positions,
  hidden_act: "silu",
  initializer_range: 0.02,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  bos_token_id: tokenizer.eosId ?? null,
  eos_token_id: tokenizer.eosId ?? null,
  pad_token_id: tokenizer.padId ?? null,
})

const program = (options: Options) =>
  Effect.gen(function* () {
    const { seed, output, block, batchSize, learningRate, weightDecay, resume, vocabulary } = options
    yield* checkOutput(output, options)
    const paths = options.text.length > 0 ? options.text : [beside("./data/pretraining.txt.gz")]
    const backend = yield* Backend
    yield* Console.log(`backend: ${backend.info.description}`)

    const documents = yield* readDocuments(paths)
    const data = yield* Dataset.rows(documents.map((text) => ({ text })), { text: "text" }).pipe(
      Dataset.split({ validation: 0.02, test: 0, seed }),
    )
    const trained = trainBpe(data.train.rows.map(({ text }) => text), { vocabSize: vocabulary })
    const tokenizer = Tokenizer.makeTokenizer(trained.model, trained.config)
    const characters = documents.reduce((sum, { length }) => sum + length, 0)
    yield* Console.log(`data: ${paths.join(", ")}: ${documents.length} documents, ${characters} characters`)

    const config = configOf(options, tokenizer)
    const common = { tokenizer, batchSize, learningRate, weightDecay, seed, maxLength: block, packing: true } as const
    const newModel = Model.initialize(config, { task: Task.causalLM(), seed })

    // A few steps on a temporary model measure the pace.
    const measure = Effect.scoped(Effect.gen(function* () {
      let perStep = 0
      yield* Trainer.fit(yield* newModel, { train: data.train }, {
        ...common,
        maxSteps: 24,
        observe: (event) =>
          Effect.sync(() => {
            if (event.type === "step") perStep = batchSize * block / event.tokensPerSecond
          }),
      })
      return Math.max(1, Math.floor(60 * options.minutes / perStep))
    }))
    const steps = given(options.steps) ?? (yield* measure)

    const model = yield* newModel
    yield* clearOutput(output, options)
    const run = yield* Trainer.fit(model, data, {
      ...common,
      maxSteps: steps,
      schedule: "cosine",
      warmupSteps: Math.min(100, Math.ceil(steps / 20)),
      evaluateEvery: Math.max(1, Math.ceil(steps / 8)),
      saveEvery: Math.max(1, Math.ceil(steps / 4)),
      runFolder: output,
      resume,
      observe: progress(),
      ...traceStep(options.trace),
    })
    const { metrics } = yield* Trainer.evaluate(model, data.validation, { tokenizer, maxLength: block })
    const directory = `${output}/model`
    yield* Model.saveCheckpoint(model, directory, { dtype: "F16" })
    yield* saveTokenizer(directory, trained)
    const fs = yield* FileSystem.FileSystem
    yield* fs.writeFileString(`${directory}/README.md`, card(options, paths, run, metrics))
    yield* run.summarize({ validation: metrics, backend: backend.info.name, model: directory })
    yield* run.report({
      title: "Pretraining",
      facts: { data: paths.join(", ") },
      division: data,
      evaluations: [{ name: "validation", metrics }],
      samples: [],
    })
    yield* Console.log(`model: ${directory}, report: ${output}/report.html`)
  }).pipe(Effect.scoped)

/** The card that says how the model was made. */
const card = (
  options: Options,
  paths: ReadonlyArray<string>,
  run: Trainer.Run,
  metrics: Readonly<Record<string, number>>,
): string =>
  `---
library_name: transformers
pipeline_tag: text-generation
tags: [llama, espalier]
---
# ${options.output.split("/").at(-1)}

A Llama-family model of ${run.totalParameters} parameters, pretrained from nothing with Espalier
(\`examples/pretrain.ts\`) and with nothing else.

| | |
| --- | --- |
| texts | ${paths.map((path) => path.split("/").at(-1)).join(", ")} |
| tokenizer | byte-level BPE of ${options.vocabulary} tokens, trained on the same texts |
| shape | ${options.layers} layers, width ${options.hidden}, ${options.heads} heads (${options.keyValueHeads} of keys and values), feed-forward ${options.feedForward}, tied embeddings |
| training | ${run.steps} steps of ${options.batchSize} blocks of ${options.block} tokens, AdamW, learning rate ${options.learningRate} (cosine), weight decay ${options.weightDecay}, seed ${options.seed} |
| time | ${Math.round(run.seconds)} seconds on the CPU |
| validation | loss ${metrics.loss.toFixed(4)} a token (${
    metrics.perplexity.toFixed(1)
  } perplexity) on 2 % of the documents |
`

const command = Command.make("pretrain", flags, (options) => {
  const base = Espalier.layerWith({ wasm: defined({ threads: given(options.threads) }) })
  return Effect.provide(program(options), Llama.layer.pipe(Layer.provideMerge(base)))
}).pipe(Command.withDescription("Pretrains a small model and its tokenizer from plain texts"))

if (import.meta.main) main(command)
