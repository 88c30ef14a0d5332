/**
 * From nodes of attention and of its derivatives to calls. Heads are seen in groups that share keys; results lie in
 * memory with the heads behind the length.
 * @module
 */
import { attentionLogSumOperation, attentionOperation } from "../../core/tensor/composites/attention.ts"
import { broadcastStrides, type Shape } from "../../core/tensor/shape.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { AttentionGradientCall } from "../attention_gradient/call.ts"
import type { View } from "../contract.ts"
import type { CallMemory } from "../kernel.ts"
import { contiguous } from "../view.ts"
import type { AttentionCall } from "./call.ts"

/** What calls of both kernels are made of. */
const partsOf = ({ inputs, attributes }: Tensor, { viewAs }: CallMemory) => {
  const [q, k, v, mask] = inputs
  const [batch, heads, length] = q.shape
  const [, shared, keys, width] = k.shape
  const inGroups = [batch, shared, heads / shared, length]
  /** Neighbours along the last axis lie side by side. */
  const inRows = (x: Tensor, shape: Shape): View => {
    const view = viewAs(x, shape)
    return view.strides.at(-1) === 1 || shape.at(-1) === 1 ? view : viewAs(x, shape, true)
  }
  const seen = viewAs(mask, mask.shape)
  const scores = [batch, length, keys]
  const operands = (factor: Tensor | undefined) => ({
    scale: attributes.scale as number,
    q: inRows(q, [...inGroups, width]),
    k: inRows(k, k.shape),
    v: inRows(v, v.shape),
    mask: { ...seen, shape: scores, strides: broadcastStrides(seen, scores) },
    ...(factor === undefined ? {} : { factor: viewAs(factor, [...inGroups, keys]) }),
  })
  const ofQueries = (number: number, e: number): View => {
    const group = heads / shared
    const strides = [length * heads * e, group * e, e, heads * e, 1]
    return { buffer: number, offset: 0, shape: [...inGroups, e], strides }
  }
  const ofKeys = (number: number, e: number): View => {
    const strides = [keys * shared * e, e, shared * e, 1]
    return { buffer: number, offset: 0, shape: [batch, shared, keys, e], strides }
  }
  return { inGroups, inRows, operands, ofQueries, ofKeys }
}

/** One call for nodes of one attention: its result, the logarithms of its sums. */
export function lowerAttention(nodes: ReadonlyArray<Tensor>, memory: CallMemory): AttentionCall {
  const [{ inputs }] = nodes
  const { inGroups, operands, ofQueries } = partsOf(nodes[0], memory)
  const { buffer, temporary } = memory
  const [result, logSum] = [attentionOperation, attentionLogSumOperation].map((wanted) =>
    nodes.find((node) => node.operation === wanted)
  )
  const [{ shape: [batch, heads, length] }, , { shape: [, , , e] }] = inputs
  return {
    kernel: "attention",
    ...operands(inputs[4]),
    output: ofQueries(result ? buffer(result) : temporary([batch, length, heads, e], "f32"), e),
    ...(logSum === undefined ? {} : { logSum: contiguous(buffer(logSum), inGroups) }),
  }
}

/** One call for derivatives of one attention. */
export function lowerAttentionGradient(nodes: ReadonlyArray<Tensor>, memory: CallMemory): AttentionGradientCall {
  const [{ inputs }] = nodes
  const { inGroups, inRows, operands, ofQueries, ofKeys } = partsOf(nodes[0], memory)
  const { buffer, viewAs } = memory
  const [q, , v, , logSum, cotangent, delta, factor] = inputs
  const [width, e] = [q.shape[3], v.shape[3]]
  const by = (of: string) => nodes.find((node) => node.attributes.of === of)
  const [dq, dk, dv] = ["q", "k", "v"].map(by)
  return {
    kernel: "attention_gradient",
    ...operands(factor),
    logSum: viewAs(logSum, inGroups, true),
    cotangent: inRows(cotangent, [...inGroups, e]),
    delta: viewAs(delta, inGroups, true),
    ...(dq === undefined ? {} : { dq: ofQueries(buffer(dq), width) }),
    ...(dk === undefined ? {} : { dk: ofKeys(buffer(dk), width) }),
    ...(dv === undefined ? {} : { dv: ofKeys(buffer(dv), e) }),
  }
}
