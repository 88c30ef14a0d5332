import type { View } from "../../kernels/contract.ts"
import type { BuiltinCall as Call } from "../../kernels/builtin.ts"
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"

/** Numbers that repeat from run to run, between -1 and 1. */
export const noise = (size: number, seed = 1): Float32Array<ArrayBuffer> => {
  let state = seed * 2654435761 >>> 0
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2147483648 - 1
  })
}

/** A contiguous view of a whole buffer, or a strided one. */
export const view = (buffer: number, shape: number[], strides: number[] = stridesOf(shape), offset = 0): View => ({
  buffer,
  offset,
  shape,
  strides,
})

/** One call between buffers; those that it writes start as given, and are compared. */
export interface Case {
  readonly name: string
  readonly call: Call
  /** Contents of the buffers by number. */
  readonly buffers: ReadonlyArray<Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>
  /** Relative to 1 + |reference|. Default 2e-6. */
  readonly tolerance?: number
}

/** Size of a buffer for a contiguous shape. */
export const size = (shape: number[]): number => sizeOf(shape)
