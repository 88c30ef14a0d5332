import type { AttentionCall } from "../contract.ts"
import type { KernelEmitter } from "../wgsl/kernel.ts"

/** Emits `attention`. */
export const emitAttention: KernelEmitter<AttentionCall> = () => {
  throw new Error("attention is not there yet")
}
