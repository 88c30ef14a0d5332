/**
 * Views of buffers: making them, and walking over them.
 * @module
 */
import { sizeOf, stridesOf } from "../core/tensor/shape.ts"
import type { View } from "./contract.ts"

/**
 * Calls `visit(offsets, index)` for each index of `space` in row-major order, with the element offset in each view. Both
 * arrays are reused between calls.
 */
export const forEachPlace = (
  space: ReadonlyArray<number>,
  views: ReadonlyArray<View>,
  visit: (offsets: ReadonlyArray<number>, index: ReadonlyArray<number>) => void,
): void => {
  const count = sizeOf(space)
  if (count === 0) return
  const index = space.map(() => 0)
  const offsets = views.map((view) => view.offset)
  for (let place = 0; place < count; place++) {
    visit(offsets, index)
    for (let axis = space.length - 1; axis >= 0; axis--) {
      index[axis]++
      for (let v = 0; v < views.length; v++) offsets[v] += views[v].strides[axis]
      if (index[axis] < space[axis]) break
      for (let v = 0; v < views.length; v++) offsets[v] -= views[v].strides[axis] * space[axis]
      index[axis] = 0
    }
  }
}

/** A contiguous view from the first element of a buffer on. */
export const contiguous = (buffer: number, shape: ReadonlyArray<number>): View => ({
  buffer,
  offset: 0,
  shape,
  strides: stridesOf(shape),
})
