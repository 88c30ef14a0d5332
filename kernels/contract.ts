/**
 * Calls of kernels: plain data between the graph, which decides, and the backends, which emit code.
 *
 * A program is a list of {@link Call}s over numbered buffers. Seven kernels carry everything: `rows` (fused elementwise
 * work with reductions along the last axis), `columns` (fused elementwise work reduced over other axes), `matmul` (with
 * an epilogue), `attention` and `attention_gradient`, `gather`, `scatter_add`; and `update_slice` for key/value caches.
 * All sizes, offsets and strides count elements.
 * @module
 */
import type { DType } from "../core/tensor/dtype.ts"
export type { DType, StoredAs } from "../core/tensor/dtype.ts"

/** A strided window on a buffer. A stride of 0 repeats one element along that axis;
 * inputs may also run backwards (negative strides). */
export interface View {
  /** Number of the buffer in the program. */
  readonly buffer: number
  /** First element. */
  readonly offset: number
  /** Extent of each axis. */
  readonly shape: ReadonlyArray<number>
  /** Distance between neighbours along each axis. */
  readonly strides: ReadonlyArray<number>
}

/** Functions of one element. Comparisons give 1 or 0 in the type `f32`. */
export type UnaryName =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "rsqrt"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "abs"
  | "floor"
  | "sin"
  | "cos"
  | "toFloat" // i32 -> f32
  | "toInt" // f32 -> i32, towards zero
/** Functions of two elements of one type; `add sub mul max min less lessEqual equal` also take i32. */
export type BinaryName = "add" | "sub" | "mul" | "div" | "max" | "min" | "less" | "lessEqual" | "equal"
/** `where(c, a, b)` is a where c is not 0 (c is f32). `uniform(index, salt, key0, key1)` (all i32) is a number in
 * [0, 1): the upper 24 bits of the first word of Threefry-2x32 (20 rounds) of counter (index, salt) under the key. */
export type ElementwiseName = UnaryName | BinaryName | "where" | "uniform"

/** One step of a fused expression. Arguments are numbers of earlier steps. */
export type Instruction =
  /** The element of `inputs[operand]` at this index of the space. */
  | { readonly op: "load"; readonly operand: number; readonly dtype: DType }
  | { readonly op: "constant"; readonly value: number; readonly dtype: DType }
  /** The index along one axis of the space (i32). */
  | { readonly op: "index"; readonly axis: number; readonly dtype: "i32" }
  | { readonly op: ElementwiseName; readonly args: ReadonlyArray<number>; readonly dtype: DType }
  /** Only in `rows`: over the last axis; the result is one value a row, which later steps may use in every column. */
  | { readonly op: "reduce"; readonly kind: ReduceKind; readonly args: readonly [number]; readonly dtype: DType }

/** How elements are combined. The sum of no elements is 0, the maximum -Infinity. */
export type ReduceKind = "sum" | "max"

/** Elementwise work on a product before it is stored: bias, activation, residual, the sum with another product. */
export interface Epilogue {
  /** As in `rows`, without reductions; operand 0 is the product, operand i + 1 is `inputs[i]`. */
  readonly body: ReadonlyArray<Instruction>
  /** Each view's shape is the product's; none is in a buffer that the call writes. */
  readonly inputs: ReadonlyArray<View>
  /** Number of the step that `output` holds. */
  readonly result: number
  /** Further steps that are stored; each view has the product's shape and the last stride 1. */
  readonly also: ReadonlyArray<{ readonly step: number; readonly view: View }>
}

/** A kernel's name with its operands: views and numbers, plain data. Each kernel has its own fields. */
export interface Call {
  /** Name of the kernel. */
  readonly kernel: string
}
