/**
 * Features of this runtime's WebAssembly, detected by trying them.
 * @module
 */
import { f32x4, i32, inMemory, ModuleBuilder } from "../../../kernels/wasm/assembler.ts"

/** Whether relaxed SIMD (fused multiply-add) is supported. */
export const hasRelaxedSimd = (): boolean => {
  const module = new ModuleBuilder()
  const zero = f32x4.const(0)
  module.func("probe", [], ["v128"], () => f32x4.relaxedMadd(zero, zero, zero))
  return WebAssembly.validate(module.encode())
}

/** Whether a module can have several memories. */
export const hasSeveralMemories = (): boolean => {
  const module = new ModuleBuilder()
  const pages = { initial: 1, maximum: 1, shared: false }
  module.importMemory(pages)
  module.importMemory({ ...pages, name: "memory1" })
  module.func("probe", [], ["i32"], () => inMemory(1, () => i32.load(i32.const(0))))
  return WebAssembly.validate(module.encode())
}

/** A growable shared memory of one page, or undefined if not supported. */
export const makeSharedMemory = (maximumPages: number): WebAssembly.Memory | undefined => {
  // Without isolation headers a page can make one but cannot send it to a worker.
  if (globalThis.crossOriginIsolated === false && typeof document !== "undefined") return undefined
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: maximumPages, shared: true })
  } catch {
    return undefined
  }
}

/** Number of logical processors. Node 20 has no `navigator`. */
export const logicalProcessors = async (): Promise<number> => {
  if (typeof navigator !== "undefined") return navigator.hardwareConcurrency
  // Computed, so that browser bundlers do not resolve it.
  const specifier = "node:os"
  return (await import(specifier) as { availableParallelism: () => number }).availableParallelism()
}
