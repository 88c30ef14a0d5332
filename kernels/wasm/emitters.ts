/**
 * WebAssembly of the engine's own kernels, apart from their values: it is loaded with its backend alone.
 * @module
 */
import { emitAttention } from "../attention/wasm.ts"
import { emitAttentionGradient } from "../attention_gradient/wasm.ts"
import { emitColumns } from "../columns/wasm.ts"
import { emitDecode } from "../decode/wasm.ts"
import { emitGather } from "../gather/wasm.ts"
import { emitMatmul } from "../matmul/wasm.ts"
import { emitRows } from "../rows/wasm.ts"
import { emitScatterAdd } from "../scatter_add/wasm.ts"
import { emitUpdateSlice } from "../update_slice/wasm.ts"
import { type BuiltinCall, kernelOf } from "../builtin.ts"
import type { Call } from "../contract.ts"
import type { Kernels } from "../kernel.ts"
import type { KernelContext, Stage } from "./kernel.ts"

type Emitter<C> = (call: C, context: KernelContext) => ReadonlyArray<Stage>

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
export function emit(call: Call, own: Kernels | undefined, context: KernelContext): ReadonlyArray<Stage> {
  const kernel = kernelOf(call, own)
  const emitter = builtin.get(kernel.name) as Emitter<Call> | undefined ?? kernel.wasm
  if (emitter === undefined) throw new Error(`The kernel "${kernel.name}" has no code for WebAssembly: give it "wasm"`)
  return emitter(call, context)
}
