import { emitAttention } from "../attention/wasm.ts"
import { emitAttentionGradient } from "../attention_gradient/wasm.ts"
import { emitColumns } from "../columns/wasm.ts"
import type { Call } from "../contract.ts"
import { emitGather } from "../gather/wasm.ts"
import { emitMatmul } from "../matmul/wasm.ts"
import { emitRows } from "../rows/wasm.ts"
import { emitScatterAdd } from "../scatter_add/wasm.ts"
import { emitUpdateSlice } from "../update_slice/wasm.ts"
import type { KernelContext, Stage } from "./kernel.ts"

/** Code of a call in WebAssembly: the kernels by name. */
export function emit(call: Call, context: KernelContext): ReadonlyArray<Stage> {
  switch (call.kernel) {
    case "rows":
      return emitRows(call, context)
    case "columns":
      return emitColumns(call, context)
    case "matmul":
      return emitMatmul(call, context)
    case "attention":
      return emitAttention(call, context)
    case "attention_gradient":
      return emitAttentionGradient(call, context)
    case "gather":
      return emitGather(call, context)
    case "scatter_add":
      return emitScatterAdd(call, context)
    case "update_slice":
      return emitUpdateSlice(call, context)
  }
}
