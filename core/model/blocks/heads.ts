/**
 * From hidden states to logits, and the network of a backbone with a head.
 * @module
 */
import type { BatchTensors, Outputs } from "../../contracts/objective.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Module, ModuleNode, Scope } from "../module.ts"
import type { Network } from "../network.ts"
import { firstOf, lastOf, meanOf } from "../sites/batch_layout.ts"
import type { Backbone } from "./backbone.ts"
import type { Memory } from "./sequence.ts"

/** Builds the logits from the tokens' hidden states [B, T, hiddenSize], and from all with P rows before them. */
export type HeadForward = (scope: Scope, hidden: Tensor, batch: BatchTensors, all: Tensor) => Tensor

/** How a {@link vocabularyHead} computes its scores. */
export interface VocabularyHeadOptions {
  /** What comes between the hidden states and the output. Default: nothing. */
  readonly transform?: (scope: Scope, x: Tensor) => Tensor
  /** What scores s are bounded by: cap tanh(s / cap). The scores of all tokens are then held. Default: none. */
  readonly softCap?: number | undefined
  /** Factor of the scores. Default 1. */
  readonly scale?: number | undefined
}

/** Scores of the vocabulary at each token, while text is generated at the last one only: [B, T or 1, vocabulary]. */
export function vocabularyHead(output: Module, options: VocabularyHeadOptions = {}): HeadForward {
  const { transform = (_: Scope, x: Tensor) => x, softCap, scale = 1 } = options
  return (scope, hidden, batch) => {
    const x = transform(scope, scope.decoding === undefined ? hidden : lastOf(hidden, batch))
    // Not the scores: a loss over their product is computed in chunks.
    const scores = scope.call(output, scale === 1 ? x : ops.mul(x, scale))
    return softCap === undefined ? scores : ops.mul(ops.tanh(ops.mul(scores, 1 / softCap)), softCap)
  }
}

/** Numbers for each token: [B, T, size]. */
export function tokenHead(output: Module, dropout: number): HeadForward {
  return (scope, hidden) => scope.call(output, scope.dropout(output, "input", hidden, dropout))
}

/** What stands for each sequence, [B, 1, hiddenSize], of its tokens' hidden states and of all with the rows before them. */
export type Pooling = (hidden: Tensor, batch: BatchTensors, all: Tensor) => Tensor

/** The first place, a token or a row before them (as in transformers). */
export const firstPlace: Pooling = (_, batch, all) => firstOf(all, batch)
/** The last token. */
export const lastToken: Pooling = (hidden, batch) => lastOf(hidden, batch)
/** The mean of all places, tokens and rows before them (as in transformers). */
export const meanPlace: Pooling = (_, batch, all) => meanOf(all, batch)

/** Numbers of a sequence from what stands for it: [B, size]. */
export function sequenceHead(pooling: Pooling, scores: (scope: Scope, x: Tensor) => Tensor): HeadForward {
  return (scope, hidden, batch, all) => ofSequence(scores(scope, pooling(hidden, batch, all)))
}

/** Numbers of a sequence from its last token: [B, size]. */
export function lastTokenHead(output: Module): HeadForward {
  return sequenceHead(lastToken, (scope, x) => scope.call(output, x))
}

/** Numbers of a sequence from its first place: [B, size]. */
export function firstPlaceHead(
  output: Module,
  { pool, dropout }: { readonly pool: (scope: Scope, x: Tensor) => Tensor; readonly dropout: number },
): HeadForward {
  return sequenceHead(
    firstPlace,
    (scope, x) => scope.call(output, scope.dropout(output, "input", pool(scope, x), dropout)),
  )
}

const ofSequence = (x: Tensor): Tensor => ops.reshape(x, [-1, x.shape[2]])

/** What {@link encoderDecoderOf} makes a network of. */
export interface EncoderDecoderOptions {
  /** Modules that both backbones use: the embedding. */
  readonly shared: ReadonlyArray<ModuleNode>
  /** Reads the source. */
  readonly encoder: Backbone
  /** Writes the target. */
  readonly decoder: Backbone
  /** Modules of the head. */
  readonly modules: ReadonlyArray<ModuleNode>
  /** From the decoder's hidden states to logits. */
  readonly head: HeadForward
  /** Token that a target begins with for the decoder. */
  readonly startToken: number
  /** Token in the place of masked ones before others. */
  readonly padToken: number
}

/**
 * The part of an encoder-decoder {@link Network} that follows from its modules. The decoder reads the labels of a batch,
 * one place later and behind the start token; of a batch without labels the start token, and `hidden` is the encoder's.
 */
export function encoderDecoderOf(
  options: EncoderDecoderOptions,
): Pick<Network, "root" | "forward" | "startToken"> {
  const { shared, encoder, decoder, modules, head, startToken, padToken } = options
  /** What the decoder reads, i32 [B, T]. */
  const inputs = ({ tokens, fields: { labels } }: BatchTensors): Tensor => {
    if (labels === undefined) return ops.full(startToken, [tokens.shape[0], 1], "i32")
    const length = labels.shape[1]
    const later = ops.concat([ops.narrow(labels, 1, 0, 1), ops.narrow(labels, 1, 0, length - 1)], 1)
    const known = ops.where(ops.less(later, 0), padToken, later)
    return ops.where(ops.equal(ops.iota([1, length], 1), 0), startToken, known)
  }
  const decode = (scope: Scope, batch: BatchTensors, tokens: Tensor, memory: Memory): Outputs => {
    // Padding lies on the right, and no token looks ahead.
    const own = { ...batch, tokens, lengths: ops.full(tokens.shape[1], [tokens.shape[0]], "i32") }
    const hidden = scope.call(decoder, tokens, own, memory)
    return { hidden, logits: head(scope, hidden, own, hidden) }
  }
  return {
    root: {
      path: "",
      kind: "Model",
      sizes: decoder.sizes,
      parameters: {},
      children: [...shared, encoder, decoder, ...modules],
      outputHead: false,
    },
    forward: (scope, batch) => {
      const { first = true, memoryLengths } = scope.decoding ?? {}
      if (!first) return decode(scope, batch, batch.tokens, { lengths: memoryLengths! })
      const hidden = scope.call(encoder, batch.tokens, batch)
      const rows = hidden.shape[1] - batch.tokens.shape[1]
      const memory = { hidden, lengths: rows === 0 ? batch.lengths : ops.add(batch.lengths, rows) }
      const outputs = decode(scope, batch, inputs(batch), memory)
      return batch.fields.labels === undefined
        ? { ...outputs, hidden: ops.narrow(hidden, 1, rows, hidden.shape[1]) }
        : outputs
    },
    startToken,
  }
}

/** The part of a {@link Network} that follows from its modules: a backbone and those of a head. It takes packed rows. */
export function networkOf(
  body: Backbone,
  modules: ReadonlyArray<ModuleNode>,
  head: HeadForward,
): Pick<Network, "root" | "forward" | "paddingFree"> {
  return {
    root: {
      path: "",
      kind: "Model",
      sizes: body.sizes,
      parameters: {},
      children: [body, ...modules],
      outputHead: false,
    },
    forward: (scope, batch) => {
      const all = scope.call(body, batch.tokens, batch)
      const places = all.shape[1]
      const hidden = ops.narrow(all, 1, places - batch.tokens.shape[1], places)
      return { hidden, logits: head(scope, hidden, batch, all) }
    },
    paddingFree: true,
  }
}
