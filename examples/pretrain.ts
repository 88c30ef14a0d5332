/**
 * Pretrains a small Llama-family model from plain texts: trains a byte-level BPE tokenizer, then the model, and saves a
 * checkpoint that transformers loads. Without flags: about a million parameters, on the included texts.
 *
 * ```sh
 * deno task pretrain --text corpus.txt --minutes 7 --output runs/tiny
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
import { generalText } from "../core/run/mod.ts"
import { field } from "../core/options/mod.ts"
import { TRAINING } from "../core/run/mod.ts"
import { Backend, DataError, Dataset, Espalier, Model, Task, Tokenizer, Trainer } from "../mod.ts"
import { saveTokenizer, trainBpe } from "../core/data/tokenizer/training/train_bpe.ts"
import * as Llama from "../plugins/llama/mod.ts"
import { beside, checkOutput, clearOutput, defined, flagsOf, main, progress, RUN_FLAGS, traceStep } from "./shared.ts"

const { batchSize, learningRate, weightDecay } = TRAINING

/** A whole number from 1. */
const count = (usual: number, doc: string) => field.integer({ minimum: 1, default: usual, doc })

const flags = {
  text: Flag.String("text").pipe(
    Flag.withDescription(
      "Plain text file (also .gz) with blank lines between documents; can be given several times [the included one]",
    ),
    Flag.atLeast(0),
  ),
  ...flagsOf({
    vocabulary: field.integer({ minimum: 258, default: 2048, doc: "Vocabulary size of the tokenizer" }),
    hidden: count(128, "Width of the model"),
    layers: count(4, "Number of layers"),
    heads: count(4, "Attention heads"),
    kvHeads: count(2, "Key and value heads"),
    ffn: count(352, "Width of the feed-forward layers"),
    positions: count(512, "Maximum sequence length of the model"),
    block: field.integer({ minimum: 2, default: 128, doc: "Tokens per training block" }),
    batchSize: { ...batchSize, doc: "Blocks per step" },
    learningRate,
    weightDecay: { ...weightDecay, default: 0.01 },
    steps: field.integer({ minimum: 1, doc: "Number of steps, instead of --minutes" }),
    minutes: field.number({ minimum: 0, default: 7, doc: "Minutes of training, estimated from a few trial steps" }),
    seed: field.integer({ minimum: 0, default: 42, doc: "Seed of weights and order of texts" }),
    output: field.text({ default: "runs/pretrain", doc: "Run folder; the model is written to its folder model/" }),
    ...RUN_FLAGS,
    resume: { ...RUN_FLAGS.resume, doc: "Resume the run in the output folder; needs --steps" },
  }),
}

type Options = Command.Command.Config.Infer<typeof flags>

/** Documents of the files, in order. */
const readDocuments = (paths: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const documents: string[] = []
    for (const path of paths) {
      const bytes = yield* fs.readFile(path).pipe(Effect.mapError((cause) => {
        const absent = cause.reason._tag === "NotFound"
        const message = absent ? `${path}: no such file` : `${path} cannot be read: ${cause.message}`
        return new DataError({ reason: absent ? "NotFound" : "Unreadable", message, cause })
      }))
      const text = yield* Effect.promise(() => {
        const body = new Response(bytes as Uint8Array<ArrayBuffer>).body!
        return new Response(path.endsWith(".gz") ? body.pipeThrough(new DecompressionStream("gzip")) : body).text()
      })
      for (const document of text.split(/\n\s*\n/)) if (document.trim() !== "") documents.push(document.trim())
    }
    return documents
  })

const configOf = (options: Options, tokenizer: Tokenizer.Tokenizer) => ({
  model_type: "llama",
  vocab_size: tokenizer.vocabSize,
  hidden_size: options.hidden,
  intermediate_size: options.ffn,
  num_hidden_layers: options.layers,
  num_attention_heads: options.heads,
  num_key_value_heads: options.kvHeads,
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
    const tokenizer = yield* Tokenizer.makeTokenizer(trained.model, trained.config)
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
    const steps = options.steps ?? (yield* measure)

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
      retain: { "general text": yield* generalText() },
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
| shape | ${options.layers} layers, width ${options.hidden}, ${options.heads} heads (${options.kvHeads} of keys and values), feed-forward ${options.ffn}, tied embeddings |
| training | ${run.steps} steps of ${options.batchSize} blocks of ${options.block} tokens, AdamW, learning rate ${options.learningRate} (cosine), weight decay ${options.weightDecay}, seed ${options.seed} |
| time | ${Math.round(run.seconds)} seconds on the CPU |
| validation | loss ${metrics.loss.toFixed(4)} a token (${
    metrics.perplexity.toFixed(1)
  } perplexity) on 2 % of the documents |
`

const command = Command.make("pretrain", flags, (options) => {
  const base = Espalier.layerWith({ wasm: defined({ threads: options.threads }) })
  return Effect.provide(program(options), Llama.layer.pipe(Layer.provideMerge(base)))
}).pipe(Command.withDescription("Pretrains a small model and its tokenizer from plain texts"))

if (import.meta.main) main(command)
