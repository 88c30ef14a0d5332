/**
 * The family's modules, with Hugging Face's names.
 * @module
 */
import type { BatchTensors } from "../../core/contracts/objective.ts"
import type { KeyValues } from "../../core/contracts/site.ts"
import { perVisibleKey, positionsOf, visibleKeys } from "../../core/model/sites/batch_layout.ts"
import { embedding } from "../../core/model/blocks/embedding.ts"
import { layerNorm } from "../../core/model/blocks/layer_norm.ts"
import { linear } from "../../core/model/blocks/linear.ts"
import { ModelError } from "../../core/model/model_error.ts"
import type { Module } from "../../core/model/module.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { BertConfig } from "./config.ts"

/** A module that also gets the batch; lengths include rows that methods prepend to the tokens. */
export type Masked = Module<[BatchTensors]>

/** Last names of an attention's Linear modules. */
export interface AttentionNames {
  /** Of queries. */
  readonly query: string
  /** Of keys. */
  readonly key: string
  /** Of values. */
  readonly value: string
  /** Of the output, if it is part of the attention module. */
  readonly output?: string
}

/** A Linear with a bias, as all are except the output that is tied to the embedding. */
export function dense(path: string, inFeatures: number, outFeatures: number, { std }: BertConfig): Module {
  return linear({ path, inFeatures, outFeatures, bias: true, std })
}

/** Attention in both directions (Vaswani et al. 2017), with optional prefix keys: x [B, T, hiddenSize] to the same. */
export function attention(path: string, config: BertConfig, names: AttentionNames): Masked {
  const { hiddenSize, heads, attentionDropout } = config
  const headDim = hiddenSize / heads
  const project = (name: string): Module => dense(`${path}.${name}`, hiddenSize, hiddenSize, config)
  const query = project(names.query)
  const key = project(names.key)
  const value = project(names.value)
  const output = names.output === undefined ? undefined : project(names.output)
  const self: Masked = {
    path,
    kind: "Attention",
    sizes: { hiddenSize, heads, keyValueHeads: heads, headDim },
    parameters: {},
    children: [query, key, value, ...(output === undefined ? [] : [output])],
    outputHead: false,
    forward: (scope, x, given) => {
      const [batch, length] = x.shape
      const split = (y: Tensor) => ops.permute(ops.reshape(y, [batch, length, heads, headDim]), [0, 2, 1, 3])
      const prefix = scope.keyValues(self)
      const start = prefix?.keys.shape[2] ?? 0
      const before = (own: Tensor, rows: Tensor | undefined) =>
        rows === undefined ? own : ops.concat([rows.shape[0] === 1 ? ops.forBatch(rows, own) : rows, own], 2)
      const own: KeyValues = { keys: split(scope.call(key, x)), values: split(scope.call(value, x)) }
      const { keys, values } = scope.decoding?.extend(self, own) ?? own
      const k = before(keys, prefix?.keys)
      const v = before(values, prefix?.values)
      const visible = visibleKeys(given, start)
      const kept = (keys: number) =>
        scope.dropout(self, "weights", ops.full(1, [batch, heads, length, keys]), attentionDropout)
      const options = scope.training && attentionDropout > 0
        ? { factor: perVisibleKey(given, start + length, kept) }
        : {}
      const mixed = ops.permute(ops.attention(split(scope.call(query, x)), k, v, visible, options), [0, 2, 1, 3])
      const joined = ops.reshape(mixed, [batch, length, hiddenSize])
      return output === undefined ? joined : scope.call(output, joined)
    },
  }
  return self
}

/** A layer of BERT: attention, then feed-forward, each with residual and post-norm (Devlin et al. 2018). */
export function bertBlock(path: string, config: BertConfig): Masked {
  const { hiddenSize, intermediateSize, epsilon, dropout } = config
  const attend = attention(`${path}.attention.self`, config, { query: "query", key: "key", value: "value" })
  const project: Module = {
    ...dense(`${path}.attention.output.dense`, hiddenSize, hiddenSize, config),
    residual: "attention",
  }
  const between = layerNorm({ path: `${path}.attention.output.LayerNorm`, width: hiddenSize, epsilon })
  const up = dense(`${path}.intermediate.dense`, hiddenSize, intermediateSize, config)
  const down: Module = {
    ...dense(`${path}.output.dense`, intermediateSize, hiddenSize, config),
    residual: "feed-forward",
  }
  const last = layerNorm({ path: `${path}.output.LayerNorm`, width: hiddenSize, epsilon })
  const self: Masked = {
    path,
    kind: "Block",
    sizes: { hiddenSize },
    parameters: {},
    children: [attend, project, between, up, down, last],
    outputHead: false,
    forward: (scope, x, batch) => {
      const mixed = scope.call(project, scope.call(attend, x, batch))
      const attended = scope.dropout(self, "attention", mixed, dropout)
      const h = scope.residual(project, x, attended, (sum) => scope.call(between, sum))
      const more = scope.call(down, config.activation(scope.call(up, h)))
      return scope.residual(down, h, scope.dropout(self, "output", more, dropout), (sum) => scope.call(last, sum))
    },
  }
  return self
}

/** The feed-forward of DistilBERT: lin2(activation(lin1 x)). */
function feedForward(path: string, config: BertConfig): Module {
  const { hiddenSize, intermediateSize, dropout } = config
  const up = dense(`${path}.lin1`, hiddenSize, intermediateSize, config)
  const down = dense(`${path}.lin2`, intermediateSize, hiddenSize, config)
  const self: Module = {
    path,
    kind: "FeedForward",
    sizes: { hiddenSize, intermediateSize },
    parameters: {},
    children: [up, down],
    outputHead: false,
    forward: (scope, x) => {
      const y = scope.call(down, config.activation(scope.call(up, x)))
      return scope.dropout(self, "output", y, dropout)
    },
  }
  return self
}

/** A layer of DistilBERT (Sanh et al. 2019). */
export function distilBertBlock(path: string, config: BertConfig): Masked {
  const { hiddenSize, epsilon } = config
  const names = { query: "q_lin", key: "k_lin", value: "v_lin", output: "out_lin" }
  const attend: Masked = { ...attention(`${path}.attention`, config, names), residual: "attention" }
  const between = layerNorm({ path: `${path}.sa_layer_norm`, width: hiddenSize, epsilon })
  const think: Module = { ...feedForward(`${path}.ffn`, config), residual: "feed-forward" }
  const last = layerNorm({ path: `${path}.output_layer_norm`, width: hiddenSize, epsilon })
  return {
    path,
    kind: "Block",
    sizes: { hiddenSize },
    parameters: {},
    children: [attend, between, think, last],
    outputHead: false,
    forward: (scope, x, batch) => {
      const h = scope.residual(attend, x, scope.call(attend, x, batch), (sum) => scope.call(between, sum))
      return scope.residual(think, h, scope.call(think, h), (sum) => scope.call(last, sum))
    },
  }
}

/**
 * Embeddings and layers: tokens i32 [B, T] to hidden states [B, P + T, hiddenSize], where P rows are prepended by
 * methods.
 *
 * @param layers Path of the list of layers.
 */
export function backbone(
  path: string,
  config: BertConfig,
  layers: string,
  block: (path: string, config: BertConfig) => Masked,
): Masked {
  const { vocabSize, hiddenSize, maxPositions, tokenTypes, epsilon, std, dropout } = config
  const table = (name: string, rows: number): Module =>
    embedding({ path: `${path}.embeddings.${name}`, rows, width: hiddenSize, std })
  const words = table("word_embeddings", vocabSize)
  const positions = table("position_embeddings", maxPositions)
  const types = tokenTypes === 0 ? undefined : table("token_type_embeddings", tokenTypes)
  const norm = layerNorm({ path: `${path}.embeddings.LayerNorm`, width: hiddenSize, epsilon })
  const blocks = Array.from({ length: config.layers }, (_, i) => block(`${path}.${layers}.${i}`, config))
  const self: Masked = {
    path,
    kind: "Backbone",
    sizes: { hiddenSize },
    parameters: {},
    children: [words, positions, ...(types === undefined ? [] : [types]), norm, ...blocks],
    outputHead: false,
    forward: (scope, tokens, batch) => {
      const length = tokens.shape[1]
      const embedded = scope.call(words, tokens)
      const prefix = scope.inputPrefix(self)
      const start = prefix?.shape[0] ?? 0
      const whole = prefix === undefined
        ? embedded
        : ops.concat([ops.forBatch(ops.reshape(prefix, [1, start, hiddenSize]), embedded), embedded], 1)
      // Prefix keys occupy the first positions (past_key_values in transformers).
      const first = Math.max(0, ...attentionsOf(blocks).map(scope.prefixLength))
      const last = first + start + (batch.packed?.longest ?? length)
      if (last > maxPositions) {
        const message = `${last - first - start} tokens with ${
          first + start
        } places before them are more than ${maxPositions} positions`
        throw new ModelError({ reason: "Unsupported", message })
      }
      const places = positionsOf(batch, start, first)
      let x = ops.add(whole, scope.call(positions, ops.forBatch(places, whole)))
      const none = ops.full(0, [1, start + length], "i32")
      if (types !== undefined) x = ops.add(x, scope.call(types, ops.forBatch(none, whole)))
      x = scope.dropout(self, "embeddings", scope.call(norm, x), dropout)
      const seen = start === 0 ? batch : { ...batch, lengths: ops.add(batch.lengths, start) }
      for (const layer of blocks) x = scope.call(layer, x, seen)
      return x
    },
  }
  return self
}

/** Attentions of the layers. */
function attentionsOf(blocks: ReadonlyArray<Masked>): ReadonlyArray<Masked["children"][number]> {
  return blocks.flatMap(({ children }) => children.filter(({ kind }) => kind === "Attention"))
}
