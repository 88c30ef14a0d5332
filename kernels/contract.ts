/**
 * What a kernel is asked to do: plain data between the graph (which decides) and the backends (which emit code).
 *
 * A program is a list of {@link Call}s over numbered buffers. Seven kernels carry everything: `rows` (fused elementwise
 * work with reductions along the last axis), `columns` (fused elementwise work reduced over other axes), `matmul` (with
 * an epilogue), `attention` and `attention_gradient`, `gather`, `scatter_add`; and `update_slice` for key/value caches.
 * All sizes, offsets and strides count elements.
 * @module
 */
import type { DType } from "../core/tensor/dtype.ts"
export type { DType, Storage } from "../core/tensor/dtype.ts"

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

/** One step of a fused expression; it may use the results of earlier steps, by number. */
export type Instruction =
  /** The element of `inputs[operand]` at this place of the space. */
  | { readonly op: "load"; readonly operand: number; readonly dtype: DType }
  | { readonly op: "constant"; readonly value: number; readonly dtype: DType }
  /** This place's coordinate along one axis of the space (i32). */
  | { readonly op: "index"; readonly axis: number; readonly dtype: "i32" }
  | { readonly op: ElementwiseName; readonly args: ReadonlyArray<number>; readonly dtype: DType }
  /** Only in `rows`: over the last axis; the result is one value a row, and later steps may use it at every place. */
  | { readonly op: "reduce"; readonly kind: ReduceKind; readonly args: readonly [number]; readonly dtype: DType }

/** How elements are combined. Of nothing, the sum is 0 and the maximum is -Infinity. */
export type ReduceKind = "sum" | "max"

/**
 * For every place of `space`: evaluate `body`, store results. The last axis is the row.
 * An output whose view has a last extent of 1 (and the space has not) is one value a row: it must depend only on
 * per-row values. An output may be the very view of an input (in place); otherwise outputs and inputs are disjoint.
 */
export interface RowsCall {
  /** Tells the calls apart. */
  readonly kernel: "rows"
  /** Extents of the places. */
  readonly space: ReadonlyArray<number>
  /** What is evaluated at each place. */
  readonly body: ReadonlyArray<Instruction>
  /** Each view's shape is the space. */
  readonly inputs: ReadonlyArray<View>
  /** Which steps are stored, and where. */
  readonly outputs: ReadonlyArray<{ readonly step: number; readonly view: View }>
}

/**
 * Evaluates `body` at every place of `space` and reduces step `result` over the axes `outerAxes <= a < last`.
 * The space is [...outer, ...reduced, columns]; the output's shape is [...outer, columns].
 */
export interface ColumnsCall {
  /** Tells the calls apart. */
  readonly kernel: "columns"
  /** Extents of the places. */
  readonly space: ReadonlyArray<number>
  /** How many leading axes are kept. */
  readonly outerAxes: number
  /** How places are combined. */
  readonly kind: ReduceKind
  /** What is evaluated at each place. */
  readonly body: ReadonlyArray<Instruction>
  /** Number of the step that is reduced. */
  readonly result: number
  /** Each view's shape is the space. */
  readonly inputs: ReadonlyArray<View>
  /** Where the result goes. */
  readonly output: View
}

/** out[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]. Transposes and broadcasts are strides. */
export interface MatmulCall {
  /** Tells the calls apart. */
  readonly kernel: "matmul"
  /** Shape [...batch, m, k]. */
  readonly a: View
  /** Shape [...batch, k, n]. */
  readonly b: View
  /** Shape [...batch, m, n]; the last stride is 1. */
  readonly output: View
  /** What is done with each element of the product. Default: `output` is the product. */
  readonly epilogue?: Epilogue
}

/** Elementwise work on a product while it is at hand: bias, activation, residual, the sum with another product. */
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

/** What both attention kernels are given. Heads come in groups that share keys and values. */
export interface AttentionOperands {
  /** Factor of the scores. */
  readonly scale: number
  /** Queries, shape [batch, shared, group, T, D]; the last stride is 1, as of `k` and `v`. */
  readonly q: View
  /** Keys, shape [batch, shared, S, D]. */
  readonly k: View
  /** Values, shape [batch, shared, S, E]. */
  readonly v: View
  /** f32, shape [batch, T, S]: query t sees key s where it is not 0. Strides of 0 where it repeats. */
  readonly mask: View
  /** Shape [batch, shared, group, T, S]: multiplies the weights after the softmax. */
  readonly factor?: View
}

/**
 * out = (softmax(q k^T scale) * factor) v, without the matrix of scores in memory (Rabe and Staats 2021; Dao et al. 2022).
 * A query that sees no key gives zeros, and 1e30 for the logarithm of its sum, so that its weights are zeros again.
 */
export interface AttentionCall extends AttentionOperands {
  /** Tells the calls apart. */
  readonly kernel: "attention"
  /** Shape [batch, shared, group, T, E]; the last stride is 1. */
  readonly output: View
  /** log sum exp of each query's scores, shape [batch, shared, group, T], contiguous; left out where nobody reads it. */
  readonly logSum?: View
}

/**
 * Derivatives of {@link AttentionCall}. With the weights p = exp(q k^T scale - logSum) and
 * ds = p * ((cotangent v^T) * factor - delta) where visible, else 0:
 * dq = scale ds k, dk = scale ds^T q, dv = (p * factor)^T cotangent; dk and dv are sums over the group.
 * At least one is asked for; their last strides are 1.
 */
export interface AttentionGradientCall extends AttentionOperands {
  /** Tells the calls apart. */
  readonly kernel: "attention_gradient"
  /** Shape [batch, shared, group, T], contiguous, as `attention` gives it. */
  readonly logSum: View
  /** Of the output, shape [batch, shared, group, T, E]; the last stride is 1. */
  readonly cotangent: View
  /** Sum over E of cotangent * output, shape [batch, shared, group, T], contiguous. */
  readonly delta: View
  /** Shape [batch, shared, group, T, D]. */
  readonly dq?: View
  /** Shape [batch, shared, S, D]. */
  readonly dk?: View
  /** Shape [batch, shared, S, E]. */
  readonly dv?: View
}

/** out[i, :] = table[indices[i], :]. */
export interface GatherCall {
  /** Tells the calls apart. */
  readonly kernel: "gather"
  /** Shape [rows, width]. */
  readonly table: View
  /** i32, shape [count]. */
  readonly indices: View
  /** Shape [count, width]. */
  readonly output: View
}

/** out[b] = 0, then out[b, indices[b, i], :] += updates[b, i, :] in the order of i. Indices outside are skipped. */
export interface ScatterAddCall {
  /** Tells the calls apart. */
  readonly kernel: "scatter_add"
  /** i32, shape [batch, count]. */
  readonly indices: View
  /** Shape [batch, count, width]. */
  readonly updates: View
  /** Shape [batch, rows, width], contiguous. */
  readonly output: View
}

/** destination[..., start : start + n, ...] = source along `axis`, in place. `start` is known on the device alone. */
export interface UpdateSliceCall {
  /** Tells the calls apart. */
  readonly kernel: "update_slice"
  /** The axis along which the source is placed. */
  readonly axis: number
  /** The state. */
  readonly destination: View
  /** What is written: no axis is longer than the destination's. */
  readonly source: View
  /** The first index along `axis`: i32 [1], or [source.shape[0]] for one a row, where `axis` is not 0. */
  readonly start: View
}

/** A kernel with its operands. */
export type Call =
  | RowsCall
  | ColumnsCall
  | MatmulCall
  | AttentionCall
  | AttentionGradientCall
  | GatherCall
  | ScatterAddCall
  | UpdateSliceCall
