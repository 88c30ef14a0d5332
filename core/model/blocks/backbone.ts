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
  /** Embedding of positions: no sequence is longer. Default: none. */
  readonly positions?: Module
  /** Embedding of token types: all are of type 0. Default: none. */
  readonly types?: Module
  /** Norm of the sum. Default: none. */
  readonly norm?: Module
  /** Dropout of that. Default 0. */
  readonly dropout?: number
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
  /** Norm after the last layer. Default: none. */
  readonly norm?: Module
}

/** A backbone; it takes a batch, and an encoder's output where its layers attend to one. */
export type Backbone = Module<[batch: BatchTensors, memory?: Memory]>

/**
 * Embeddings and layers: tokens i32 [B, T] to hidden states [B, P + T, hiddenSize], where methods put P rows before the
 * tokens. Throws ModelError where there are more tokens than positions.
 */
export function backbone({ path, hiddenSize, embeddings, layers, norm }: BackboneOptions): Backbone {
  const { words, positions, types } = embeddings
  const parts = [words, positions, types, embeddings.norm, ...layers, norm]
  const self: Backbone = {
    path,
    kind: "Backbone",
    sizes: { hiddenSize },
    parameters: {},
    children: parts.filter((part) => part !== undefined),
    outputHead: false,
    forward: (scope, tokens, batch, memory) => {
      const embedded = scope.call(words, tokens)
      const prefix = scope.inputPrefix(self)
      const rows = prefix?.shape[0] ?? 0
      const whole = prefix === undefined
        ? embedded
        : ops.concat([ops.forBatch(ops.reshape(prefix, [1, rows, hiddenSize]), embedded), embedded], 1)
      const seen = rows === 0 ? batch : { ...batch, lengths: ops.add(batch.lengths, rows) }
      const sequence = sequenceOf(seen, scope.decoding, memory)
      const last = layers.reduce((x, layer) => scope.call(layer, x, sequence), start(scope, whole, batch))
      return norm === undefined ? last : scope.call(norm, last)
    },
  }
  /** Embedded tokens [B, P + T, hiddenSize] with all that is added to them. */
  const start = (scope: Scope, whole: Tensor, batch: BatchTensors): Tensor => {
    const add = (x: Tensor, table: Module | undefined, indices: () => Tensor) => {
      if (table === undefined) return x
      const rows = indices()
      return ops.add(x, scope.call(table, rows.shape[0] === 1 ? ops.forBatch(rows, x) : rows))
    }
    const placed = add(whole, positions, () => placesOf(scope, whole.shape[1], batch))
    const sum = add(placed, types, () => ops.full(0, [1, whole.shape[1]], "i32"))
    const normed = embeddings.norm === undefined ? sum : scope.call(embeddings.norm, sum)
    return scope.dropout(self, "embeddings", normed, embeddings.dropout ?? 0)
  }
  const attentions = layers.flatMap((layer) => descendants(layer).filter(({ kind }) => kind === "Attention"))
  /** Positions of the rows before the tokens and of the tokens. */
  const placesOf = (scope: Scope, length: number, batch: BatchTensors): Tensor => {
    const tokens = batch.tokens.shape[1]
    const rows = length - tokens
    // Prefix keys occupy the first positions (past_key_values in transformers).
    const first = Math.max(0, ...attentions.map(scope.prefixLength))
    const count = batch.packed?.longest ?? tokens
    const most = positions!.sizes.rows
    if (first + rows + count > most) {
      const message = `${count} tokens with ${first + rows} places before them are more than ${most} positions`
      throw new ModelError({ reason: "Unsupported", message })
    }
    return positionsOf(batch, { rows, first, decoding: scope.decoding })
  }
  return self
}
