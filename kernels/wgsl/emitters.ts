/**
 * WGSL of the engine's own kernels, apart from their values: it is loaded with its backend alone.
 * @module
 */
import { emitAttention } from "../attention/wgsl.ts"
import { emitAttentionGradient } from "../attention_gradient/wgsl.ts"
import { emitColumns } from "../columns/wgsl.ts"
import { emitDecode } from "../decode/wgsl.ts"
import { emitGather } from "../gather/wgsl.ts"
import { emitMatmul } from "../matmul/wgsl.ts"
import { emitRows } from "../rows/wgsl.ts"
import { emitScatterAdd } from "../scatter_add/wgsl.ts"
import { emitUpdateSlice } from "../update_slice/wgsl.ts"
import { type BuiltinCall, kernelOf } from "../builtin.ts"
import type { Call } from "../contract.ts"
import type { Kernels } from "../kernel.ts"
import type { Dispatch, KernelContext } from "./kernel.ts"

type Emitter<C> = (call: C, context: KernelContext) => ReadonlyArray<Dispatch>

const emitters: { readonly [Name in BuiltinCall["kernel"]]: Emitter<Extract<BuiltinCall, { readonly kernel: Name }>> } =
  {
    attention: emitAttention,
    attention_gradient: emitAttentionGradient,
    columns: emitColumns,
    decode: emitDecode,
    gather: emitGather,
    matmul: emitMatmul,
    rows: emitRows,
    scatter_add: emitScatterAdd,
    update_slice: emitUpdateSlice,
  }
const builtin: ReadonlyMap<string, Emitter<never>> = new Map(Object.entries(emitters))

/**
 * Code of a call: the engine's own, or what its kernel brings. Throws where that brings none.
 *
 * @param own Kernels of the program that are not built in.
 */
export function emit(call: Call, own: Kernels | undefined, context: KernelContext): ReadonlyArray<Dispatch> {
  const kernel = kernelOf(call, own)
  const emitter = builtin.get(kernel.name) as Emitter<Call> | undefined ?? kernel.wgsl
  if (emitter === undefined) throw new Error(`The kernel "${kernel.name}" has no code for WGSL: give it "wgsl"`)
  return emitter(call, context)
}
