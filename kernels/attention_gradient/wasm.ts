import type { AttentionGradientCall } from "../contract.ts"
import type { KernelEmitter } from "../wasm/kernel.ts"

/** Emits `attention_gradient`. */
export const emitAttentionGradient: KernelEmitter<AttentionGradientCall> = () => {
  throw new Error("attention_gradient is not there yet")
}
