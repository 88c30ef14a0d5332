/**
 * The engine's own kernels: fused elementwise work with reductions (`rows`, `columns`), products, attention, and moves.
 * @module
 */
import type { AttentionCall } from "./attention/call.ts"
import { attention } from "./attention/kernel.ts"
import type { AttentionGradientCall } from "./attention_gradient/call.ts"
import { attentionGradient } from "./attention_gradient/kernel.ts"
import type { ColumnsCall } from "./columns/call.ts"
import { columns } from "./columns/kernel.ts"
import type { Call } from "./contract.ts"
import { decode, type DecodeCall } from "./decode/kernel.ts"
import { gather, type GatherCall } from "./gather/kernel.ts"
import type { Kernel, Kernels } from "./kernel.ts"
import type { MatmulCall } from "./matmul/call.ts"
import { matmul } from "./matmul/kernel.ts"
import type { RowsCall } from "./rows/call.ts"
import { rows } from "./rows/kernel.ts"
import { scatterAdd, type ScatterAddCall } from "./scatter_add/kernel.ts"
import { updateSlice, type UpdateSliceCall } from "./update_slice/kernel.ts"

/** A call of one of these. */
export type BuiltinCall =
  | RowsCall
  | ColumnsCall
  | MatmulCall
  | AttentionCall
  | AttentionGradientCall
  | GatherCall
  | ScatterAddCall
  | UpdateSliceCall
  | DecodeCall

const all: ReadonlyArray<Kernel> = [
  rows,
  columns,
  matmul,
  attention,
  attentionGradient,
  gather,
  scatterAdd,
  updateSlice,
  decode,
]
/** The kernels of the engine by name. */
export const builtin: Kernels = new Map(all.map((kernel) => [kernel.name, kernel]))

/**
 * The kernel of a call. Throws where none has its name.
 *
 * @param own Those of its program that are not built in.
 */
export function kernelOf({ kernel: name }: Call, own?: Kernels): Kernel {
  const kernel = builtin.get(name) ?? own?.get(name)
  if (kernel === undefined) throw new Error(`No kernel is named "${name}": its program must bring it`)
  return kernel
}
