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
import type { Model } from "../model/model.ts"
import { TEXTS, wrongArgument } from "../options/argument.ts"
import type { OptionTable } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { type TextRow, textRows } from "../tasks/causal_lm.ts"
import { div, iota, less, max, mul, reshape, rsqrt, sum, toFloat } from "../tensor/ops.ts"
import { attempt, attemptPromise } from "./loop/attempt.ts"
import { choiceData, choiceInput, choiceOf, type EvaluateError } from "./evaluate.ts"
import { JUDGING_OPTIONS, type JudgingOptions, judgingOptions, type Open } from "./judging_options.ts"
import { padIdOf } from "./loop/training_data.ts"
import { checkOneTask } from "./step/task_named.ts"
import { TrainingError } from "./training_error.ts"

/** Options of {@link embed}; a row is a text. */
export interface EmbedOptions extends JudgingOptions {
  /** Scale embeddings to length 1, so that a product of two is their cosine. Default false. */
  readonly normalize?: boolean
}

const OPTIONS: OptionTable<EmbedOptions, Open> = { ...JUDGING_OPTIONS, normalize: field.boolean({ default: false }) }

/** A text with the tokenizer's special tokens, without fields. */
const EMBEDDING: Encoding<TextRow> & BatchSpec = {
  head: { kind: "token" },
  fields: {},
  encoder: ({ rows }, tokenizer) => {
    const { around } = cutterOf(tokenizer, rows.map(({ text }) => text))
    return ({ text }) => [{ ...around(text), fields: () => ({}) }]
  },
}

/**
 * Embeddings of texts: the mean of the last hidden states over all tokens, including special ones, without padding (Reimers
 * and Gurevych 2019). Returns [hiddenSize] numbers per text, in the order of the texts.
 */
export function embed(
  model: Model,
  texts: ReadonlyArray<string>,
  options: EmbedOptions = {},
): Effect.Effect<ReadonlyArray<Float32Array>, EvaluateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { normalize, batchSize, plugins, ...own } = yield* attempt(() => judgingOptions(OPTIONS, options))
    const wrong = wrongArgument("texts", texts, TEXTS)
    if (wrong !== undefined) return yield* new TrainingError({ reason: "Options", message: wrong })
    yield* attempt(() => checkOneTask(model, "embed"))
    if (texts.length === 0) return []
    const { maxPositions, vocabSize } = model.network
    const maxLength = own.maxLength ?? maxPositions
    if (maxLength > maxPositions) {
      const message = `maxLength is ${maxLength}, but the model has ${maxPositions} positions`
      return yield* new TrainingError({ reason: "Options", message })
    }
    const tokenizer = yield* tokenizerOf(model, own.tokenizer)
    const rows = texts.map((text, i) => ({ text, row: i + 1 }))
    const data = { kind: textRows, source: "texts", unit: "row", labels: [], rows } as const
    const truncate = own.maxLength !== undefined
    const { examples } = yield* attempt(() =>
      encode(data, tokenizer, { maxLength, truncate, vocabSize, task: EMBEDDING })
    )
    const choice = yield* choiceOf(model, texts.length, plugins)
    return yield* attemptPromise(async () => {
      const embeddings: Array<Float32Array> = []
      const programs = programsOf(model)
      const source = makeBatches(examples, {
        batchSize: Math.min(batchSize, texts.length),
        maxLength,
        shuffle: false,
      })
      for (const microBatch of source.epoch(0).flatMap((step) => step.microBatches)) {
        const batch = collate(examples, microBatch, EMBEDDING, padIdOf(tokenizer, vocabSize))
        const [rows, length] = batch.shape
        const name = `embed ${rows}x${length} ${normalize} ${choice?.plugins}`
        const program = await programs.get(name, () => graph(model, rows, length, normalize, choice?.plugins))
        const { pooled } = await program.run({ ...batchData(batch), ...choiceData(batch, choice) })
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
  rows: number,
  length: number,
  normalize: boolean,
  plugins: ReadonlyArray<string> | undefined,
): Graph {
  const batch = batchInputs(DEFAULT_TASK, rows, length, EMBEDDING)
  const { hidden } = model.forward(batch, { training: false, ...choiceInput(plugins, rows) })
  const lengths = reshape(batch.lengths, [rows, 1])
  const mask = reshape(less(iota([1, length], 1), lengths), [rows, length, 1])
  const mean = div(sum(mul(hidden, mask), [1]), toFloat(lengths))
  // The bound is that of torch.nn.functional.normalize.
  const scale = rsqrt(max(sum(mul(mean, mean), [1], { keepDims: true }), 1e-24))
  return { name: "embed", outputs: { pooled: normalize ? mul(mean, scale) : mean }, updates: [] }
}
