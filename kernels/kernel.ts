/**
 * A kernel as a value, for graph and backends. The engine's own are in `builtin.ts`; an operation of a third party names
 * its kernel.
 * @module
 */
import type { Shape } from "../core/tensor/shape.ts"
import type { Tensor } from "../core/tensor/tensor.ts"
import type { ReferenceBuffers } from "./body_reference.ts"
import type { Call, DType, Epilogue, View } from "./contract.ts"
import type { KernelContext as WasmContext, Stage } from "./wasm/kernel.ts"
import type { Dispatch, KernelContext as WgslContext } from "./wgsl/kernel.ts"

/**
 * How a call uses a view. One of `"read encoded"` may be kept in any encoding of single elements, one of `"read blocks"`
 * also in blocks (its shape is whole blocks then, along its last axis or the one before): the code decodes what it loads.
 * The latter may also lie in a further memory of the CPU: large operands that are read once, or in order. What is kept
 * otherwise is copied to f32 first.
 */
export type Use = "read" | "read encoded" | "read blocks" | "write" | "read write"

/** The use of a call's views, by field: a view, a list of views or of things with a `view`, or a group of such fields. */
export interface Uses {
  /** By name. */
  readonly [field: string]: Use | Uses
}

/** Work of a call, from its shapes alone. */
export interface KernelWork {
  /** Operations on numbers: two for each product of a matmul, one for each instruction of a fused expression. */
  readonly flops: number
  /** Views whose elements are needed once each. Default: all that the call reads or writes. */
  readonly touches?: ReadonlyArray<View>
}

/** Memory for operands and results, while nodes of a graph become a call. */
export interface CallMemory {
  /** A view of a node in a given shape, after a copy if its layout does not allow one; `dense`: contiguous. */
  readonly viewAs: (node: Tensor, shape: Shape, dense?: boolean) => View
  /** The buffer of a stored node; its elements are contiguous there. */
  readonly buffer: (node: Tensor) => number
  /** A new buffer for a call alone. */
  readonly temporary: (shape: Shape, dtype: DType) => number
  /** Copies a node into a view of its shape, before the call. */
  readonly copy: (node: Tensor, view: View) => void
}

/** A kernel; `C` are its calls. */
export interface Kernel<C extends Call = Call> {
  /** Name in calls; no two kernels of a program share one. */
  readonly name: string
  /** The views of a call and their uses, in the order of its operands. */
  readonly views: Uses
  /**
   * Whether an output may be the very view of an input: one invocation or lane reads all that it needs of an element's
   * place before it writes there. Default false.
   */
  readonly inPlace?: boolean
  /**
   * Set where one call computes several nodes: those with equal inputs and equal attributes, but for the attributes named
   * here, which choose one of the results. Default: a call for each node.
   */
  readonly joins?: ReadonlyArray<string>
  /** What a call costs, for profiles. */
  work(call: C): KernelWork
  /** Shapes of a call for listings: `[2048,128] x [128,352]`. */
  shapes(call: C): string
  /** Further text of a call for listings. Default: none. */
  detail?(call: C): string
  /** The call for a node, or for several that join. Left out where the graph writes the calls itself: fused work. */
  lower?(nodes: ReadonlyArray<Tensor>, memory: CallMemory): C
  /** The same call with elementwise work on its result. Left out where there is no room for such work. */
  withEpilogue?(call: C, output: View, epilogue: Epilogue): C
  /** Carries out a call in float64, in place. The engine's own larger ones are in `references.ts`. */
  reference?(call: C, buffers: ReferenceBuffers): void
  /** WebAssembly of a call; no stage where there is nothing to do. The engine's own is in `wasm/emitters.ts`. */
  wasm?(call: C, context: WasmContext): ReadonlyArray<Stage>
  /** Shaders of a call; no dispatch where there is nothing to do. The engine's own are in `wgsl/emitters.ts`. */
  wgsl?(call: C, context: WgslContext): ReadonlyArray<Dispatch>
}

/** Kernels by name. */
export type Kernels = ReadonlyMap<string, Kernel>
