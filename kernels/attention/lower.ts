/**
 * From nodes of attention and of its derivatives to calls. Heads are seen in groups that share keys; results lie in
 * memory with the heads behind the length.
 * @module
 */
import {
  attentionInputs,
  attentionLogSumOperation,
  attentionOperation,
} from "../../core/tensor/composites/attention.ts"
import { iotaOperation } from "../../core/tensor/operations/leaves.ts"
import { broadcastStrides, type Shape } from "../../core/tensor/shape.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { AttentionGradientCall } from "../attention_gradient/call.ts"
import type { View } from "../contract.ts"
import type { CallMemory } from "../kernel.ts"
import { contiguous } from "../view.ts"
import { type AttentionCall, keysOf } from "./call.ts"

/** What calls of both kernels are made of. */
const partsOf = (node: Tensor, { viewAs }: CallMemory) => {
  const { attributes } = node
  const inputs = attentionInputs(node)
  const { q, k, v, pages, queryPositions, keyLengths, segments, bias, factor } = inputs
  const [batch, heads, length] = q.shape
  const [, shared, , width] = k.shape
  const keys = keysOf({ k, ...(pages ? { pages } : {}) })
  const group = heads / shared
  const inGroups = [batch, shared, group, length]
  /** Neighbours along the last axis lie side by side. */
  const inRows = (x: Tensor, shape: Shape): View => {
    const view = viewAs(x, shape)
    return view.strides.at(-1) === 1 || shape.at(-1) === 1 ? view : viewAs(x, shape, true)
  }
  /** A factor that repeats is copied along its rows. */
  const inColumns = (x: Tensor, shape: Shape): View => shape[4] === keys ? viewAs(x, shape) : inRows(x, shape)
  const repeated = (x: Tensor, shape: Shape, own: Shape = x.shape): View => {
    const view = viewAs(x, own)
    return { ...view, shape, strides: broadcastStrides(view, shape) }
  }
  const inHeads = ([rows, own, ...rest]: Shape): Shape => [rows, ...(own === 1 ? [1, 1] : [shared, group]), ...rest]
  const prefix = attributes.prefix as number
  // Positions that count from 0 are no operand.
  const counted = queryPositions === undefined ||
    (queryPositions.operation === iotaOperation && queryPositions.attributes.axis === queryPositions.shape.length - 1)
  const operands = {
    scale: attributes.scale as number,
    q: inRows(q, [...inGroups, width]),
    k: inRows(k, k.shape),
    v: inRows(v, v.shape),
    ...(pages === undefined ? {} : { pages: viewAs(pages, pages.shape) }),
    prefix,
    causal: attributes.causal as boolean,
    ...(attributes.window === undefined ? {} : { window: attributes.window as number }),
    ...(counted ? {} : { queryPositions: repeated(queryPositions, [batch, length]) }),
    ...(keyLengths === undefined ? {} : { keyLengths: repeated(keyLengths, [batch]) }),
    ...(segments === undefined ? {} : { segments: repeated(segments, [batch, keys - prefix]) }),
    ...(bias === undefined ? {} : { bias: repeated(bias, [...inGroups, keys], inHeads(bias.shape)) }),
    ...(factor === undefined ? {} : { factor: inColumns(factor, [...inGroups, factor.shape[3]]) }),
  }
  const ofQueries = (number: number, e: number): View => {
    const strides = [length * heads * e, group * e, e, heads * e, 1]
    return { buffer: number, offset: 0, shape: [...inGroups, e], strides }
  }
  const ofKeys = (number: number, e: number): View => {
    const strides = [keys * shared * e, e, shared * e, 1]
    return { buffer: number, offset: 0, shape: [batch, shared, keys, e], strides }
  }
  return { inputs, inGroups, inRows, operands, ofQueries, ofKeys }
}

/** One call for nodes of one attention: its result, the logarithms of its sums. */
export function lowerAttention(nodes: ReadonlyArray<Tensor>, memory: CallMemory): AttentionCall {
  const { inputs: { q, v }, inGroups, operands, ofQueries } = partsOf(nodes[0], memory)
  const { buffer, temporary } = memory
  const [result, logSum] = [attentionOperation, attentionLogSumOperation].map((wanted) =>
    nodes.find((node) => node.operation === wanted)
  )
  const [batch, heads, length] = q.shape, e = v.shape[3]
  return {
    kernel: "attention",
    ...operands,
    output: ofQueries(result ? buffer(result) : temporary([batch, length, heads, e], "f32"), e),
    ...(logSum === undefined ? {} : { logSum: contiguous(buffer(logSum), inGroups) }),
  }
}

/** One call for derivatives of one attention. */
export function lowerAttentionGradient(nodes: ReadonlyArray<Tensor>, memory: CallMemory): AttentionGradientCall {
  const { inputs, inGroups, inRows, operands, ofQueries, ofKeys } = partsOf(nodes[0], memory)
  const { buffer, viewAs } = memory
  const { q, v, logSum, cotangent, delta } = inputs
  const [width, e] = [q.shape[3], v.shape[3]]
  const by = (of: string) => nodes.find((node) => node.attributes.of === of)
  const [dq, dk, dv] = ["q", "k", "v"].map(by)
  return {
    kernel: "attention_gradient",
    ...operands,
    logSum: viewAs(logSum!, inGroups, true),
    cotangent: inRows(cotangent!, [...inGroups, e]),
    delta: viewAs(delta!, inGroups, true),
    ...(dq === undefined ? {} : { dq: ofQueries(buffer(dq), width) }),
    ...(dk === undefined ? {} : { dk: ofKeys(buffer(dk), width) }),
    ...(dv === undefined ? {} : { dv: ofKeys(buffer(dv), e) }),
  }
}
