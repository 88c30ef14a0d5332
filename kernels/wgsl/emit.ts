import { emitAttention } from "../attention/wgsl.ts"
import { emitAttentionGradient } from "../attention_gradient/wgsl.ts"
import { emitColumns } from "../columns/wgsl.ts"
import type { Call } from "../contract.ts"
import { emitGather } from "../gather/wgsl.ts"
import { emitMatmul } from "../matmul/wgsl.ts"
import { emitRows } from "../rows/wgsl.ts"
import { emitScatterAdd } from "../scatter_add/wgsl.ts"
import { emitUpdateSlice } from "../update_slice/wgsl.ts"
import type { Dispatch, KernelContext } from "./kernel.ts"

/** Shaders of a call: the kernels by name. */
export function emit(call: Call, context: KernelContext): ReadonlyArray<Dispatch> {
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
