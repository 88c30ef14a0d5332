import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { load, type LoadError, type LoadServices } from "../../core/model/load/load.ts"
import type { Model } from "../../core/model/model.ts"
import { causalLM } from "../../core/tasks/causal_lm.ts"
import { regression } from "../../core/tasks/regression.ts"
import type { TaskOf } from "../../core/tasks/task.ts"
import { embed, type EmbedError } from "../../core/training/embed.ts"

/** What texts are embedded as. */
export type EncodedAs = "query" | "passage"

/** Turns texts into vectors. */
export interface Encoder {
  /** Its name in messages. */
  readonly name: string
  /** Vectors of length 1, one a text, so that a product of two is their cosine. */
  readonly embed: (
    texts: ReadonlyArray<string>,
    as: EncodedAs,
  ) => Effect.Effect<ReadonlyArray<Float32Array>, EmbedError, FileSystem.FileSystem>
}

/** Options of {@link encoder}. */
export interface EncoderOptions {
  /** Name in messages. Default: where the model was loaded from. */
  readonly name?: string
  /** What stands before a query, for models that were trained so, such as `"query: "` of E5. Default: nothing. */
  readonly query?: string
  /** What stands before a passage, such as `"passage: "` of E5. Default: nothing. */
  readonly passage?: string
  /** Texts a batch. Default 32. */
  readonly batchSize?: number
  /** Tokens to which texts are cut. Default: the model's positions. */
  readonly maxLength?: number
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
}

/** Any model as an encoder, by `Trainer.embed`: pooling and products as its directory says, else the mean of all tokens. */
export function encoder(model: Model, options: EncoderOptions = {}): Encoder {
  const { name = model.directory === "" ? "the model" : model.directory, query = "", passage = "", ...own } = options
  const before = { query, passage }
  const { maxLength = model.network.maxPositions } = own
  return {
    name,
    embed: (texts, as) => embed(model, texts.map((text) => before[as] + text), { ...own, maxLength, normalize: true }),
  }
}

/**
 * Loads a model as an encoder. Which head it has plays no part; a family without one for texts is loaded as a language model.
 * It is freed with the scope.
 */
export function loadEncoder(
  directory: string,
  options: EncoderOptions = {},
): Effect.Effect<Encoder, LoadError, LoadServices> {
  // Embeddings do not use the head, so that it need not be the one of the files.
  const as = (task: TaskOf) => load(directory, { task, head: "new", frozen: true })
  return as(regression()).pipe(
    Effect.catchTag("ModelError", (error) => error.reason === "Task" ? as(causalLM()) : Effect.fail(error)),
    Effect.map((model) => encoder(model, { name: directory, ...options })),
  )
}
