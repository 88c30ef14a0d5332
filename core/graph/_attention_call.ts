import type { AttentionCall, AttentionGradientCall, View } from "../../kernels/contract.ts"
import { attentionLogSumOperation, attentionOperation } from "../tensor/composites/attention.ts"
import { type Shape, stridesOf } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { broadcastStrides } from "../tensor/views.ts"

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
  const [{ inputs, operation, attributes }] = nodes
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
  if (operation.kernel === "attention") {
    const [result, logSum] = [attentionOperation, attentionLogSumOperation].map((wanted) =>
      nodes.find((node) => node.operation === wanted)
    )
    const e = v.shape[3]
    return {
      kernel: "attention",
      ...operands(inputs[4]),
      output: ofQueries(result ? buffer(result) : temporary([batch, length, heads, e], "f32"), e),
      ...(logSum === undefined
        ? {}
        : { logSum: { buffer: buffer(logSum), offset: 0, shape: inGroups, strides: stridesOf(inGroups) } }),
    }
  }
  const [, , , , logSum, cotangent, delta, factor] = inputs
  const by = (of: string) => nodes.find((node) => node.attributes.of === of)
  const [dq, dk, dv] = ["q", "k", "v"].map(by)
  return {
    kernel: "attention_gradient",
    ...operands(factor),
    logSum: viewAs(logSum, inGroups, true),
    cotangent: inRows(cotangent, [...inGroups, v.shape[3]]),
    delta: viewAs(delta, inGroups, true),
    ...(dq === undefined ? {} : { dq: ofQueries(buffer(dq), width) }),
    ...(dk === undefined ? {} : { dk: ofKeys(buffer(dk), width) }),
    ...(dv === undefined ? {} : { dv: ofKeys(buffer(dv), v.shape[3]) }),
  }
}
