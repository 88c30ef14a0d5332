/**
 * Helpers of the float64 references: row-major data by strides.
 * @module
 */
import type { Shape } from "./shape.ts"
import type { Numbers } from "./tensor.ts"

/** Offset of each element of `shape`, in row-major order, in memory of these strides. */
export function offsetsOf(strides: ReadonlyArray<number>, shape: Shape, first = 0): Int32Array {
  let offsets = Int32Array.of(first)
  shape.forEach((extent, axis) => {
    const next = new Int32Array(offsets.length * extent)
    offsets.forEach((offset, i) => {
      for (let j = 0; j < extent; j++) next[i * extent + j] = offset + j * strides[axis]
    })
    offsets = next
  })
  return offsets
}

/** The elements of `shape` that these strides pick out of data. */
export function picked(data: Numbers, strides: ReadonlyArray<number>, shape: Shape, first = 0): Numbers {
  return Float64Array.from(offsetsOf(strides, shape, first), (at) => data[at])
}
