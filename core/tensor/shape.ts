import { ShapeError } from "./shape_error.ts"

/** Extents of the axes of a tensor, outermost first. `[]` is a scalar. */
export type Shape = ReadonlyArray<number>

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1
  for (const extent of shape) size *= extent
  return size
}

/** Distances between neighbours along each axis of a contiguous tensor, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  for (let axis = shape.length - 1, stride = 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]
  }
  return strides
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false
  return true
}

/** The shape that two shapes broadcast to (axes aligned at the end, an extent of 1 repeats). */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length)
  const shape = new Array<number>(rank)
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1
    const y = b[b.length - rank + i] ?? 1
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError({ message: `Shapes ${show(a)} and ${show(b)} do not broadcast: axis ${i} is ${x} and ${y}` })
    }
    shape[i] = x === 1 ? y : x
  }
  return shape
}

/** Strides of a view that is repeated up to `shape`. */
export function broadcastStrides(
  from: { readonly shape: Shape; readonly strides: ReadonlyArray<number> },
  shape: Shape,
): number[] {
  const lead = shape.length - from.shape.length
  return shape.map((_, axis) => axis < lead || from.shape[axis - lead] === 1 ? 0 : from.strides[axis - lead])
}

/** A shape as text: `[2, 3]`. */
export function show(shape: Shape): string {
  return `[${shape.join(", ")}]`
}

/** An axis counted from the start; negative ones count from the end. */
export function axisOf(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new ShapeError({ message: `Axis ${axis} is outside a tensor of rank ${rank}` })
  }
  return positive
}
