import type { DType, StoredAs } from "../dtype.ts"
import { offsetsOf } from "../numbers.ts"
import { axisOf, type Shape, sizeOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

/** A graph's reference to memory of a backend that outlives a run. */
export interface SlotReference {
  /** Number of the slot in its backend. */
  readonly id: number
  /** Shown in errors. */
  readonly name: string
  /** Extents of its axes. */
  readonly shape: Shape
  /** Type of its elements. */
  readonly dtype: DType
  /** How its memory holds the elements. Default `"f32"`. */
  readonly storage?: StoredAs
  /** Whether graphs only read it. Default false. */
  readonly readOnly?: boolean
}

/** Data of each run. */
export const inputOperation: Operation = { name: "input" }
/** Memory that outlives a run. */
export const slotOperation: Operation = { name: "slot" }
/** Data that is part of the graph. */
export const constantOperation: Operation = {
  name: "constant",
  reference: (n) => Float64Array.from(n.attributes.data as ArrayLike<number>),
}
/** One number everywhere. */
export const fullOperation: Operation = {
  name: "full",
  reference: (n) => new Float64Array(sizeOf(n.shape)).fill(n.attributes.value as number),
}
/** Coordinates along an axis. */
export const iotaOperation: Operation = {
  name: "iota",
  reference: (n) => {
    const strides = n.shape.map((_, axis) => axis === n.attributes.axis ? 1 : 0)
    return Float64Array.from(offsetsOf(strides, n.shape))
  },
}

/** Options of {@link input}. */
export interface InputOptions {
  /** Default `"f32"`. */
  readonly dtype?: DType
  /** Whether axis 0 counts the examples of a batch: per-example derivatives follow it. Default false. */
  readonly batch?: boolean
}

/** Data of each run, by name. Values that change between steps are inputs, never constants. */
export function input(name: string, shape: Shape, options: InputOptions = {}): Tensor {
  return node(inputOperation, [], shape, options.dtype ?? "f32", { name, batch: options.batch ?? false })
}

/** The value that a slot holds when the run begins. */
export function slot(reference: SlotReference): Tensor {
  const { id, name, shape, dtype, storage = "f32" } = reference
  return node(slotOperation, [], shape, dtype, { slot: id, name, storage })
}

/** Data that is part of the graph: a table, a mask. It is copied to the device once, when compiled. */
export function constant(data: Float32Array | Int32Array, shape: Shape): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError({
      message: `A constant of shape [${shape}] needs ${sizeOf(shape)} numbers, got ${data.length}`,
    })
  }
  return node(constantOperation, [], shape, data instanceof Int32Array ? "i32" : "f32", { data })
}

/** One number everywhere. Default shape `[]`, default type `"f32"`. */
export function full(value: number, shape: Shape = [], dtype: DType = "f32"): Tensor {
  return node(fullOperation, [], shape, dtype, { value })
}

/** Coordinates along `axis`, as i32: `iota([2, 3], 1)` is `[[0, 1, 2], [0, 1, 2]]`. */
export function iota(shape: Shape, axis: number): Tensor {
  return node(iotaOperation, [], shape, "i32", { axis: axisOf(axis, shape.length) })
}
