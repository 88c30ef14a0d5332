import type { AttentionCall, AttentionGradientCall, View } from "../../kernels/contract.ts"
import { attentionInputs, attentionLogSumOperation, attentionOperation } from "../tensor/composites/attention.ts"
import { iotaOperation } from "../tensor/leaves.ts"
import { type Shape, stridesOf } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { broadcastStrides } from "./layout.ts"

/** Memory for operands and results. */
export interface CallMemory {
  /** A view of a node in a given shape, after a copy where its elements do not lie so; `dense`: contiguous. */
  readonly viewAs: (node: Tensor, shape: Shape, dense?: boolean) => View
  /** The buffer of a stored node. */
  readonly buffer: (node: Tensor) => number
  /** A new buffer for a call alone. */
  readonly temporary: (shape: Shape, dtype: "f32") => number
}

/**
 * One call for nodes of one attention (its result, the logarithms of its sums), or of the derivatives of one. Heads are
 * seen in groups that share keys; results lie in memory with the heads behind the length.
 */
export function attentionCall(
  nodes: ReadonlyArray<Tensor>,
  { viewAs, buffer, temporary }: CallMemory,
): AttentionCall | AttentionGradientCall {
  const [{ operation, attributes }] = nodes
  const inputs = attentionInputs(nodes[0])
  const { q, k, v, queryPositions, keyLengths, segments, bias, factor } = inputs
  const [batch, heads, length] = q.shape
  const [, shared, keys, width] = k.shape
  const group = heads / shared
  const inGroups = [batch, shared, group, length]
  /** Neighbours along the last axis lie side by side. */
  const inRows = (x: Tensor, shape: Shape): View => {
    const view = viewAs(x, shape)
    return view.strides.at(-1) === 1 || shape.at(-1) === 1 ? view : viewAs(x, shape, true)
  }
  const repeated = (x: Tensor, shape: Shape, own: Shape = x.shape): View => {
    const view = viewAs(x, own)
    return { ...view, shape, strides: broadcastStrides(view, shape) }
  }
  const inHeads = ([rows, own, ...rest]: Shape): Shape => [rows, ...(own === 1 ? [1, 1] : [shared, group]), ...rest]
  const prefix = attributes.prefix as number
  const counted = queryPositions?.operation === iotaOperation
  const operands = {
    scale: attributes.scale as number,
    q: inRows(q, [...inGroups, width]),
    k: inRows(k, k.shape),
    v: inRows(v, v.shape),
    prefix,
    causal: attributes.causal as boolean,
    ...(attributes.window === undefined ? {} : { window: attributes.window as number }),
    ...(queryPositions === undefined || counted ? {} : { queryPositions: repeated(queryPositions, [batch, length]) }),
    ...(keyLengths === undefined ? {} : { keyLengths: repeated(keyLengths, [batch]) }),
    ...(segments === undefined ? {} : { segments: repeated(segments, [batch, keys - prefix]) }),
    ...(bias === undefined ? {} : { bias: repeated(bias, [...inGroups, keys], inHeads(bias.shape)) }),
    ...(factor === undefined ? {} : { factor: viewAs(factor, [...inGroups, keys]) }),
  }
  const ofQueries = (number: number, e: number): View => {
    const strides = [length * heads * e, group * e, e, heads * e, 1]
    return { buffer: number, offset: 0, shape: [...inGroups, e], strides }
  }
  const ofKeys = (number: number, e: number): View => {
    const strides = [keys * shared * e, e, shared * e, 1]
    return { buffer: number, offset: 0, shape: [batch, shared, keys, e], strides }
  }
  if (operation.kernel === "attention") {
    const [result, logSum] = [attentionOperation, attentionLogSumOperation].map((wanted) =>
      nodes.find((node) => node.operation === wanted)
    )
    const e = v.shape[3]
    return {
      kernel: "attention",
      ...operands,
      output: ofQueries(result ? buffer(result) : temporary([batch, length, heads, e], "f32"), e),
      ...(logSum === undefined
        ? {}
        : { logSum: { buffer: buffer(logSum), offset: 0, shape: inGroups, strides: stridesOf(inGroups) } }),
    }
  }
  const { logSum, cotangent, delta } = inputs
  const by = (of: string) => nodes.find((node) => node.attributes.of === of)
  const [dq, dk, dv] = ["q", "k", "v"].map(by)
  return {
    kernel: "attention_gradient",
    ...operands,
    logSum: viewAs(logSum!, inGroups, true),
    cotangent: inRows(cotangent!, [...inGroups, v.shape[3]]),
    delta: viewAs(delta!, inGroups, true),
    ...(dq === undefined ? {} : { dq: ofQueries(buffer(dq), width) }),
    ...(dk === undefined ? {} : { dk: ofKeys(buffer(dk), width) }),
    ...(dv === undefined ? {} : { dv: ofKeys(buffer(dv), v.shape[3]) }),
  }
}
