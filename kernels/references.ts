/**
 * References of the engine's larger kernels, apart from their values: what trains does not load them.
 * @module
 */
import { attentionReference } from "./attention/reference.ts"
import { attentionGradientReference } from "./attention_gradient/reference.ts"
import type { ReferenceBuffers } from "./body_reference.ts"
import { type BuiltinCall, kernelOf } from "./builtin.ts"
import { columnsReference } from "./columns/reference.ts"
import type { Call } from "./contract.ts"
import type { Kernels } from "./kernel.ts"
import { matmulReference } from "./matmul/reference.ts"
import { rowsReference } from "./rows/reference.ts"

type Reference<C> = (call: C, buffers: ReferenceBuffers) => void

const references: {
  readonly [Name in BuiltinCall["kernel"]]?: Reference<Extract<BuiltinCall, { readonly kernel: Name }>>
} = {
  attention: attentionReference,
  attention_gradient: attentionGradientReference,
  columns: columnsReference,
  matmul: matmulReference,
  rows: rowsReference,
}
const builtin: ReadonlyMap<string, Reference<never>> = new Map(Object.entries(references))

/**
 * Carries out a call in float64, in place. Throws where its kernel has no reference.
 *
 * @param own Kernels of the program that are not built in.
 */
export function runReference(call: Call, own: Kernels | undefined, buffers: ReferenceBuffers): void {
  const kernel = kernelOf(call, own)
  const reference = builtin.get(kernel.name) as Reference<Call> | undefined ?? kernel.reference
  if (reference === undefined) throw new Error(`The kernel "${kernel.name}" has no "reference": give it one`)
  reference(call, buffers)
}
