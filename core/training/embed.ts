import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { DEFAULT_TASK } from "../contracts/batch_source.ts"
import { batchData, batchInputs } from "../data/batches/batch_inputs.ts"
import { type BatchSpec, collate, makeBatches } from "../data/batches/batches.ts"
import type { Encoding } from "../data/data.ts"
import { encode } from "../data/encode.ts"
import { cutterOf } from "../data/pieces/pieces.ts"
import type { Graph } from "../graph/build.ts"
import { programsOf } from "../inference/programs.ts"
import { tokenizerOf } from "../inference/tokenizer_option.ts"
import type { ForwardOptions, Model } from "../model/model.ts"
import { OBJECT, TEXTS, wrongArgument } from "../options/argument.ts"
import type { OptionTable } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { type TextRow, textRows } from "../tasks/causal_lm.ts"
import { add, input, matmul, max, mul, rsqrt, sum } from "../tensor/ops.ts"
import { attempt, attemptPromise } from "./loop/attempt.ts"
import { adapterInput, adaptersOf, choiceData, choiceInput, choiceOf, type PredictError } from "./evaluate.ts"
import { JUDGING_OPTIONS, type JudgingOptions, judgingOptions, type Open } from "./judging_options.ts"
import type { SentenceModules, SentenceModulesError } from "./pooling/sentence_modules.ts"
import { padIdOf } from "./loop/training_data.ts"
import { checkOneTask } from "./step/task_named.ts"
import { TrainingError } from "./training_error.ts"

/** Options of {@link embed}; a row is a text. */
export interface EmbedOptions extends JudgingOptions {
  /**
   * Scale embeddings to length 1, so that a product of two is their cosine. Default: as the model's directory says, else
   * false.
   */
  readonly normalize?: boolean
  /** The adapter of each row by its name in the model's bank (`Model.withAdapters`), or `""` for none. Default: none. */
  readonly adapters?: ReadonlyArray<string>
}

const OPTIONS: OptionTable<Omit<EmbedOptions, "adapters">, Open | "normalize"> = {
  ...JUDGING_OPTIONS,
  normalize: field.boolean({ absent: "as the model's directory says" }),
}

/** A text with the tokenizer's special tokens, without fields. */
const EMBEDDING: Encoding<TextRow> & BatchSpec = {
  head: { kind: "token" },
  fields: {},
  encoder: ({ rows }, tokenizer) => {
    const { around } = cutterOf(tokenizer, rows.map(({ text }) => text))
    return ({ text }) => [{ ...around(text), fields: () => ({}) }]
  },
}

/** What can go wrong while texts are embedded. */
export type EmbedError = PredictError | SentenceModulesError

/**
 * Embeddings of texts: the mean of the last hidden states over all tokens, including special ones, without padding (Reimers
 * and Gurevych 2019). Where the model's directory has a `modules.json` of sentence-transformers, its pooling, its products
 * (Dense) and its normalization. Returns [hiddenSize] numbers per text, or as many as the last product gives, in the order
 * of the texts.
 */
export function embed(
  model: Model,
  texts: ReadonlyArray<string>,
  options: EmbedOptions = {},
): Effect.Effect<ReadonlyArray<Float32Array>, EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const wrong = wrongArgument("texts", texts, TEXTS) ?? wrongArgument("options", options, OBJECT)
    if (wrong !== undefined) return yield* new TrainingError({ reason: "Options", message: wrong })
    const { adapters: names, ...judging } = options
    const { normalize: wanted, batchSize, plugins, ...own } = yield* attempt(() => judgingOptions(OPTIONS, judging))
    yield* attempt(() => checkOneTask(model, "embed"))
    if (texts.length === 0) return []
    const { maxPositions, vocabSize } = model.network
    const maxLength = own.maxLength ?? maxPositions
    if (maxLength > maxPositions) {
      const message = `maxLength is ${maxLength}, but the model has ${maxPositions} positions`
      return yield* new TrainingError({ reason: "Options", message })
    }
    const modules = yield* Effect.promise(() => import("./pooling/sentence_modules.ts"))
    const found = yield* modules.readSentenceModules(model.companions ?? model.directory)
    const plan = { ...found, normalize: wanted ?? found.normalize }
    const tokenizer = yield* tokenizerOf(model, own.tokenizer)
    const rows = texts.map((text, i) => ({ text, row: i + 1 }))
    const data = { kind: textRows, source: "texts", unit: "row", labels: [], rows } as const
    const truncate = own.maxLength !== undefined
    const { examples } = yield* attempt(() =>
      encode(data, tokenizer, { maxLength, truncate, vocabSize, task: EMBEDDING })
    )
    const choice = yield* choiceOf(model, texts.length, plugins)
    const adapters = yield* adaptersOf(model, texts.length, names)
    return yield* attemptPromise(async () => {
      const embeddings: Array<Float32Array> = []
      const programs = programsOf(model)
      const source = makeBatches(examples, {
        batchSize: Math.min(batchSize, texts.length, adapters?.most ?? Infinity),
        maxLength,
        shuffle: false,
      })
      for (const microBatch of source.epoch(0).flatMap((step) => step.microBatches)) {
        const batch = collate(examples, microBatch, EMBEDDING, padIdOf(tokenizer, vocabSize))
        const [rows, length] = batch.shape
        const name = `embed ${rows}x${length} ${plan.normalize} ${choice?.plugins} ${adapters !== undefined}`
        const inputs = { ...choiceInput(choice?.plugins, rows), ...adapterInput(adapters !== undefined, rows) }
        const program = await programs.get(name, () => graph(model, [rows, length], plan, inputs))
        const data = { ...batchData(batch), ...choiceData(batch, choice), ...denseData(plan) }
        const rowsOf = () => Array.from(batch.rows, (row) => examples[Math.max(row, 0)].index)
        const { pooled } = adapters === undefined
          ? await program.run(data)
          : await adapters.run(rowsOf(), (slots) => program.run({ ...data, adapters: slots }))
        const width = pooled.length / rows
        batch.rows.forEach((row, at) => {
          if (row >= 0) embeddings[row] = (pooled as Float32Array).slice(at * width, (at + 1) * width)
        })
      }
      return embeddings
    })
  })
}

function graph(
  model: Model,
  [rows, length]: readonly [rows: number, length: number],
  { pooling, dense, normalize }: SentenceModules,
  rowInputs: Pick<ForwardOptions, "choice" | "adapters">,
): Graph {
  const batch = batchInputs(DEFAULT_TASK, rows, length, EMBEDDING)
  const { hidden } = model.forward(batch, { training: false, ...rowInputs })
  const made = dense.reduce((x, { shape, bias, activation }, i) => {
    const y = matmul(x, input(`dense.${i}.weight`, shape), { transposeB: true })
    return activation(bias === undefined ? y : add(y, input(`dense.${i}.bias`, shape.slice(0, 1))))
  }, pooling(hidden, batch))
  // The bound is that of torch.nn.functional.normalize.
  const scale = rsqrt(max(sum(mul(made, made), [1], { keepDims: true }), 1e-24))
  return { name: "embed", outputs: { pooled: normalize ? mul(made, scale) : made }, updates: [] }
}

/** The inputs of a graph's products. */
function denseData({ dense }: SentenceModules): Readonly<Record<string, Float32Array>> {
  return Object.fromEntries(dense.flatMap(({ weight, bias }, i) => [
    [`dense.${i}.weight`, weight],
    ...(bias === undefined ? [] : [[`dense.${i}.bias`, bias]]),
  ]))
}
