import type { Side } from "../../contracts/module_info.ts"
import type { BatchTensors } from "../../contracts/objective.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { ModelError } from "../model_error.ts"
import { descendants, type Module, type Scope } from "../module.ts"
import { positionsOf } from "../sites/batch_layout.ts"
import { type Memory, type Sequence, sequenceOf } from "./sequence.ts"

/** The start of a backbone: embeddings of tokens, and what is added to them. */
export interface EmbeddingsOptions {
  /** Embedding of token ids. */
  readonly words: Module
  /** Factor of the embedded tokens, and of rows that methods put before them where `scalesRows`. Default 1. */
  readonly scale?: number | undefined
  /** Whether `scale` is of those rows, too. Default false. */
  readonly scalesRows?: boolean
  /** What is added to them, in order: {@link learnedPositions}, {@link tokenTypes}. Default: nothing. */
  readonly added?: ReadonlyArray<AddedEmbedding>
  /** Norm of the sum. Default: none. */
  readonly norm?: Module
  /** Dropout of that. Default 0. */
  readonly dropout?: number
}

/** An embedding that is added to that of the tokens. */
export interface AddedEmbedding {
  /** The table. */
  readonly table: Module
  /** Rows of the table, i32 [1 or B, P + T], for P rows that methods put before T tokens. */
  readonly rows: (scope: Scope, batch: BatchTensors, places: Places) => Tensor
}

/** What lies before the tokens of a batch. */
export interface Places {
  /** Number of rows that methods put before the tokens. */
  readonly rows: number
  /** Positions that prefix keys occupy before those (past_key_values in transformers). */
  readonly first: number
}

/**
 * Learned positions: no sequence is longer than the table. `rows` throws ModelError where one is.
 *
 * @param first Row of the first position. Default 0.
 */
export function learnedPositions(table: Module, first = 0): AddedEmbedding {
  return {
    table,
    rows: (scope, batch, places) => {
      const count = batch.packed?.longest ?? batch.tokens.shape[1]
      const most = table.sizes.rows - first
      if (places.first + places.rows + count > most) {
        const message = `${count} tokens with ${
          places.first + places.rows
        } places before them are more than ${most} positions`
        throw new ModelError({ reason: "Unsupported", message })
      }
      const positions = positionsOf(batch, { ...places, decoding: scope.decoding })
      return first === 0 ? positions : ops.add(positions, first)
    },
  }
}

/** Token types: all tokens are of type 0. */
export function tokenTypes(table: Module): AddedEmbedding {
  return { table, rows: (_, { tokens }, { rows }) => ops.full(0, [1, rows + tokens.shape[1]], "i32") }
}

/** What a {@link backbone} needs. */
export interface BackboneOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width between layers. */
  readonly hiddenSize: number
  /** From tokens to the first layer. */
  readonly embeddings: EmbeddingsOptions
  /** The layers, in order. */
  readonly layers: ReadonlyArray<Module<[Sequence]>>
  /** Tables that layers share. Default: none. */
  readonly shared?: ReadonlyArray<Module>
  /** Norm after the last layer. Default: none. */
  readonly norm?: Module
  /** Dropout of the output. Default 0. */
  readonly dropout?: number
  /** Which one of an encoder-decoder model it is. Default: it is the only one. */
  readonly side?: Side
}

/** A backbone; it takes a batch, and an encoder's output where its layers attend to one. */
export type Backbone = Module<[batch: BatchTensors, memory?: Memory]>

/**
 * Embeddings and layers: tokens i32 [B, T] to hidden states [B, P + T, hiddenSize], where methods put P rows before the
 * tokens. Throws ModelError where there are more tokens than positions.
 */
export function backbone(options: BackboneOptions): Backbone {
  const { path, hiddenSize, embeddings, layers, shared = [], norm, dropout = 0, side } = options
  const { words, added = [], scale = 1, scalesRows = false } = embeddings
  // An embedding that several share is the model's.
  const own = path === "" || words.path.startsWith(`${path}.`) ? [words] : []
  const parts = [...own, ...added.map(({ table }) => table), embeddings.norm, ...layers, ...shared, norm]
  const attentions = layers.flatMap((layer) => descendants(layer).filter(({ kind }) => kind === "Attention"))
  const self: Backbone = {
    path,
    kind: "Backbone",
    sizes: { hiddenSize, ...(scale === 1 || scalesRows ? {} : { embeddingScale: scale }) },
    parameters: {},
    children: parts.filter((part) => part !== undefined),
    outputHead: false,
    ...(side === undefined ? {} : { side }),
    forward: (scope, tokens, batch, memory) => {
      const scaled = (x: Tensor, by = scale) => by === 1 ? x : ops.mul(x, by)
      const embedded = scaled(scope.call(words, tokens))
      const prefix = scope.inputPrefix(self)
      const rows = prefix?.shape.at(-2) ?? 0
      const before = (prefix: Tensor) => {
        const all = scaled(ops.reshape(prefix, [-1, rows, hiddenSize]), scalesRows ? scale : 1)
        return all.shape[0] === 1 ? ops.forBatch(all, embedded) : all
      }
      const whole = prefix === undefined ? embedded : ops.concat([before(prefix), embedded], 1)
      const seen = rows === 0 ? batch : { ...batch, lengths: ops.add(batch.lengths, rows) }
      const sequence = sequenceOf(seen, side === "encoder" ? undefined : scope.decoding, memory)
      const last = layers.reduce((x, layer) => scope.call(layer, x, sequence), start(scope, whole, batch, rows))
      return scope.dropout(self, "output", norm === undefined ? last : scope.call(norm, last), dropout)
    },
  }
  /** Embedded tokens [B, P + T, hiddenSize] with all that is added to them. */
  const start = (scope: Scope, whole: Tensor, batch: BatchTensors, rows: number): Tensor => {
    const places = { rows, first: Math.max(0, ...attentions.map(scope.prefixLength)) }
    const sum = added.reduce((x, { table, rows }) => {
      const indices = rows(scope, batch, places)
      return ops.add(x, scope.call(table, indices.shape[0] === 1 ? ops.forBatch(indices, x) : indices))
    }, whole)
    const normed = embeddings.norm === undefined ? sum : scope.call(embeddings.norm, sum)
    return scope.dropout(self, "embeddings", normed, embeddings.dropout ?? 0)
  }
  return self
}
