/**
 * The symbolic tensor: a value of a graph that nothing has computed yet.
 * @module
 */
import type { DType } from "./dtype.ts"
import { type Shape, show } from "./shape.ts"
import { ShapeError } from "./shape_error.ts"

/** Plain data that belongs to an operation's node: axes, sizes, a constant. */
export type Attributes = Readonly<Record<string, unknown>>

/** An immutable node of a graph: an operation applied to inputs. Built by the functions of `ops`, never by hand. */
export interface Tensor {
  /** Order of creation: inputs always have lower numbers. */
  readonly id: number
  /** The operation that computes it. */
  readonly operation: Operation
  /** Inputs of the operation. */
  readonly inputs: ReadonlyArray<Tensor>
  /** The operation's settings at this node. */
  readonly attributes: Attributes
  /** Extents of its axes. */
  readonly shape: Shape
  /** Type of its elements. */
  readonly dtype: DType
}

/** Part of an axis: from a first index to the one behind the last, or indices that are known at run time (i32 [count]). */
export type Range = readonly [number, number] | Tensor
/** Part of a tensor: a range for each axis. */
export type Box = ReadonlyArray<Range>

/** Layout of a tensor in memory; offsets and strides count elements. */
export interface Strided {
  /** Index of the first element. */
  readonly offset: number
  /** Extents of its axes. */
  readonly shape: Shape
  /** Distances between neighbours along each axis. */
  readonly strides: ReadonlyArray<number>
}

/** Data of the float64 reference: numbers in row-major order. */
export type Numbers = Float64Array

/**
 * What an operation must bring. A third party's operation gives `decompose`, so every backend can run it; the
 * operations without one are the vocabulary that backends know.
 */
export interface Operation {
  /** Shown in listings and errors; also part of a node's identity when equal nodes are joined. */
  readonly name: string
  /** Cotangents of the inputs, given the node and the cotangent of its value; `undefined` where there is none. */
  readonly derivative?: (node: Tensor, cotangent: Tensor) => ReadonlyArray<Tensor | undefined>
  /**
   * The kernel that computes it as it is: a `Kernel`, or the name of one that is built in. `decompose` then serves
   * derivatives and the reference where there are none.
   */
  readonly kernel?: string | { readonly name: string }
  /** The node written in other operations. */
  readonly decompose?: (node: Tensor) => Tensor
  /** The value in float64, from values of the inputs. Left out where `decompose` says it all. */
  readonly reference?: (node: Tensor, inputs: ReadonlyArray<Numbers>) => Numbers
  /** Layout of the value in its input's memory; undefined if its elements must be copied first. Views have this. */
  readonly view?: (node: Tensor, input: Strided) => Strided | undefined
  /** Which part of each input a part of the value needs; undefined where the value must be computed whole. */
  readonly slice?: (node: Tensor, box: Box) => ReadonlyArray<Box> | undefined
  /** How the node changes when an axis of examples comes first. Not needed with `decompose`. */
  readonly lift?: {
    /** Attributes that change. */
    readonly attributes?: (attributes: Attributes) => Attributes
    /** Whether the inputs broadcast: their axes are aligned at the end. */
    readonly broadcasts?: boolean
  }
}

let count = 0

/** Makes a node. For operations' own constructors. Throws {@link ShapeError} where the shape is none. */
export function node(
  operation: Operation,
  inputs: ReadonlyArray<Tensor>,
  shape: Shape,
  dtype: DType,
  attributes: Attributes = {},
): Tensor {
  for (const extent of shape) {
    if (Number.isSafeInteger(extent) && extent >= 0) continue
    throw new ShapeError({
      message: `${operation.name} got the shape ${show(shape)}: extents are whole numbers from 0`,
    })
  }
  return { id: count++, operation, inputs, attributes, shape, dtype }
}
