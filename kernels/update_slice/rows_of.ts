import { sizeOf } from "../../core/tensor/shape.ts"
import type { View } from "../contract.ts"

/** Parts of the source that have a start of their own: each row, or all of it as row 0. */
export const rowsOf = (source: View, start: View): ReadonlyArray<{ readonly row: number; readonly part: View }> => {
  if (sizeOf(start.shape) === 1) return [{ row: 0, part: source }]
  const shape = [1, ...source.shape.slice(1)]
  return Array.from({ length: start.shape[0] }, (_, row) => ({
    row,
    part: { ...source, shape, offset: source.offset + row * source.strides[0] },
  }))
}
