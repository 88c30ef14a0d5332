/**
 * The family's modules, under Hugging Face's names.
 * @module
 */
import type { BatchTensors } from "../../core/contracts/objective.ts"
import type { KeyValues } from "../../core/contracts/site.ts"
import { causalKeys } from "../../core/model/sites/batch_layout.ts"
import { embedding } from "../../core/model/blocks/embedding.ts"
import { linear } from "../../core/model/blocks/linear.ts"
import type { Decoding, Module } from "../../core/model/module.ts"
import { rmsNorm } from "../../core/model/blocks/norm.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { LlamaConfig } from "./config.ts"
import { rotaryTables } from "./rope.ts"

/** Cosines and sines by position: [length, headDim / 2] each, or by row [B, 1, length, headDim / 2]. */
export interface Tables {
  /** Cosines. */
  readonly cos: Tensor
  /** Sines. */
  readonly sin: Tensor
}

/** A graph's batch, with rotary tables that are made once for each start. */
export interface Positions {
  /** The batch. */
  readonly batch: BatchTensors
  /**
   * Tables of `length` positions that follow `start` others, and the tokens in memory while text is generated; of a packed
   * row's own positions.
   */
  readonly tables: (start: number, length: number) => Tables
}

/** Rotary tables for one graph. */
export function makePositions(
  { rope }: LlamaConfig,
  batch: BatchTensors,
  decoding: Decoding | undefined,
): Positions {
  const made = new Map<string, Tables>()
  const constants = (start: number, length: number): Tables => {
    const { cos, sin } = rotaryTables(rope, start, length)
    const shape = [length, rope.frequencies.length]
    return { cos: ops.constant(cos, shape), sin: ops.constant(sin, shape) }
  }
  const at = ({ cos, sin }: Tables, places: Tensor): Tables => ({
    cos: ops.gather(cos, places),
    sin: ops.gather(sin, places),
  })
  const make = (start: number, length: number): Tables => {
    const { packed } = batch
    if (packed !== undefined) return at(constants(start, packed.longest), ops.reshape(packed.positions, [length]))
    if (decoding === undefined || decoding.first) return constants(start, length)
    const cached = ops.reshape(decoding.start, [-1, 1, 1])
    return at(constants(start, decoding.capacity), ops.add(ops.iota([1, 1, length], 2), cached))
  }
  return {
    batch,
    tables: (start, length) => {
      const name = `${start} ${length}`
      const found = made.get(name) ?? make(start, length)
      made.set(name, found)
      return found
    },
  }
}

/** Causal attention with grouped heads, rotary positions and optional prefix keys: x [B, T, hiddenSize] to the same. */
export function attention(path: string, config: LlamaConfig): Module<[Positions]> {
  const { hiddenSize, heads, keyValueHeads, headDim, std } = config
  const project = (name: string, count: number): Module =>
    linear({
      path: `${path}.${name}`,
      inFeatures: hiddenSize,
      outFeatures: count * headDim,
      bias: config.queryBias,
      std,
    })
  const query = project("q_proj", heads)
  const key = project("k_proj", keyValueHeads)
  const value = project("v_proj", keyValueHeads)
  const output = linear({
    path: `${path}.o_proj`,
    inFeatures: heads * headDim,
    outFeatures: hiddenSize,
    bias: config.outputBias,
    std,
  })
  const self: Module<[Positions]> = {
    path,
    kind: "Attention",
    sizes: { hiddenSize, heads, keyValueHeads, headDim },
    parameters: {},
    children: [query, key, value, output],
    outputHead: false,
    residual: "attention",
    forward: (scope, x, positions) => {
      const [batch, length] = x.shape
      const split = (y: Tensor, count: number) =>
        ops.permute(ops.reshape(y, [batch, length, count, headDim]), [0, 2, 1, 3])
      const prefix = scope.keyValues(self)
      const start = prefix?.keys.shape[2] ?? 0
      // Prefix keys are not rotated, and the sequence's positions follow them (past_key_values in transformers).
      const { cos, sin } = positions.tables(start, length)
      const before = (own: Tensor, rows: Tensor | undefined) =>
        rows === undefined ? own : ops.concat([rows.shape[0] === 1 ? ops.forBatch(rows, own) : rows, own], 2)
      const q = ops.rotary(split(scope.call(query, x), heads), cos, sin)
      const own: KeyValues = {
        keys: ops.rotary(split(scope.call(key, x), keyValueHeads), cos, sin),
        values: split(scope.call(value, x), keyValueHeads),
      }
      const { decoding } = scope
      const { keys, values } = decoding === undefined ? own : decoding.extend(self, own)
      const k = before(keys, prefix?.keys)
      const v = before(values, prefix?.values)
      const mixed = ops.permute(ops.attention(q, k, v, causalKeys(positions.batch, start, decoding)), [0, 2, 1, 3])
      return scope.call(output, ops.reshape(mixed, [batch, length, heads * headDim]))
    },
  }
  return self
}

/** down(activation(gate x) * up x) (Shazeer 2020). */
export function feedForward(path: string, config: LlamaConfig): Module {
  const { hiddenSize, intermediateSize, feedForwardBias: bias, std } = config
  const wide = (name: string): Module =>
    linear({ path: `${path}.${name}`, inFeatures: hiddenSize, outFeatures: intermediateSize, bias, std })
  const gate = wide("gate_proj")
  const up = wide("up_proj")
  const down = linear({
    path: `${path}.down_proj`,
    inFeatures: intermediateSize,
    outFeatures: hiddenSize,
    bias,
    std,
  })
  return {
    path,
    kind: "FeedForward",
    sizes: { hiddenSize, intermediateSize },
    parameters: {},
    children: [gate, up, down],
    outputHead: false,
    residual: "feed-forward",
    forward: (scope, x) => scope.call(down, ops.mul(config.activation(scope.call(gate, x)), scope.call(up, x))),
  }
}

/** A decoder layer: attention, then feed-forward, each on normed input and added to it. */
export function block(path: string, config: LlamaConfig): Module<[Positions]> {
  const { hiddenSize, epsilon } = config
  const attend = attention(`${path}.self_attn`, config)
  const think = feedForward(`${path}.mlp`, config)
  const before = rmsNorm({ path: `${path}.input_layernorm`, width: hiddenSize, epsilon })
  const after = rmsNorm({ path: `${path}.post_attention_layernorm`, width: hiddenSize, epsilon })
  return {
    path,
    kind: "Block",
    sizes: { hiddenSize },
    parameters: {},
    children: [attend, think, before, after],
    outputHead: false,
    forward: (scope, x, positions) => {
      const h = scope.residual(attend, x, scope.call(attend, scope.call(before, x), positions))
      return scope.residual(think, h, scope.call(think, scope.call(after, h)))
    },
  }
}

/** Embedding, layers and last norm: tokens i32 [B, T] of a batch to hidden states [B, T, hiddenSize]. */
export function backbone(path: string, config: LlamaConfig): Module<[BatchTensors]> {
  const { vocabSize, hiddenSize, layers, epsilon, std } = config
  const embed = embedding({ path: `${path}.embed_tokens`, rows: vocabSize, width: hiddenSize, std })
  const blocks = Array.from({ length: layers }, (_, i) => block(`${path}.layers.${i}`, config))
  const norm = rmsNorm({ path: `${path}.norm`, width: hiddenSize, epsilon })
  const self: Module<[BatchTensors]> = {
    path,
    kind: "Backbone",
    sizes: { hiddenSize },
    parameters: {},
    children: [embed, ...blocks, norm],
    outputHead: false,
    forward: (scope, tokens, batch) => {
      const positions = makePositions(config, batch, scope.decoding)
      const length = tokens.shape[1]
      const embedded = scope.call(embed, tokens)
      const prefix = scope.inputPrefix(self)
      const start = prefix?.shape[0] ?? 0
      let x = prefix === undefined
        ? embedded
        : ops.concat([ops.forBatch(ops.reshape(prefix, [1, start, hiddenSize]), embedded), embedded], 1)
      for (const layer of blocks) x = scope.call(layer, x, positions)
      return ops.narrow(scope.call(norm, x), 1, start, start + length)
    },
  }
  return self
}
