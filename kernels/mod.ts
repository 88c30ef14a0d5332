/**
 * For authors of kernels and encodings: their types and those of calls, an assembler of WebAssembly, and helpers for WGSL. An operation names its kernel (`Operation.kernel`); the programs of graphs with such an operation bring it to
 * every backend. A slot names its encoding (`allocate(name, shape, "f32", encoding)`), or gives its value.
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
export type * from "./encoding.ts"
export { BF16, F16, F32 } from "./encodings.ts"
export { Q4_0 } from "./encodings/q4_0.ts"
export { Q4_1 } from "./encodings/q4_1.ts"
export { Q4_K } from "./encodings/q4_k.ts"
export { Q5_0 } from "./encodings/q5_0.ts"
export { Q5_1 } from "./encodings/q5_1.ts"
export { Q5_K } from "./encodings/q5_k.ts"
export { Q6_K } from "./encodings/q6_k.ts"
export { Q8_0 } from "./encodings/q8_0.ts"
export { productsInGroups } from "./matmul/wasm/groups/products.ts"
export type { Four, GroupPlace, Groups } from "./matmul/wasm/groups/groups.ts"
export type { Numbers } from "./wasm/vector_math.ts"
export type { ReferenceBuffers } from "./body_reference.ts"
export type { KernelContext as WasmContext, Stage } from "./wasm/kernel.ts"
export type {
  Binding,
  DeviceTraits,
  Dispatch,
  Element,
  KernelContext as WgslContext,
  Operand,
  Shader,
} from "./wgsl/kernel.ts"
export type { Code, FunctionScope, MemoryImport, ModuleBuilder, Target, ValueType } from "./wasm/assembler.ts"
export * as wasm from "./wasm/mod.ts"
export * as wgsl from "./wgsl/mod.ts"
export { contiguous, forEachPlace } from "./view.ts"
export { broadcastStrides } from "../core/tensor/shape.ts"
