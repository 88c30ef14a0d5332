/**
 * What authors of kernels need: the types of a kernel and of its calls, an assembler of WebAssembly, and helpers for
 * WGSL. An operation names its kernel (`Operation.kernel`); the programs of graphs with such an operation bring it to
 * every backend.
 *
 * ```ts
 * import { contiguous, wasm } from "@espalier/espalier/kernels"
 *
 * const module = new wasm.ModuleBuilder()
 * module.export("square", module.func("square", ["f32"], ["f32"], (_, x) => wasm.f32.mul(wasm.get(x), wasm.get(x))))
 * console.log(module.encode().length > 0, contiguous(0, [2, 3]).strides)
 * ```
 *
 * @module
 */
export type * from "./contract.ts"
export type * from "./kernel.ts"
export type { ReferenceBuffers } from "./body_reference.ts"
export * as wasm from "./wasm/mod.ts"
export * as wgsl from "./wgsl/mod.ts"
export { contiguous, forEachPlace } from "./view.ts"
export { broadcastStrides } from "../core/tensor/shape.ts"
