/**
 * Parts of tensors, and the rules by which operations say which parts of their inputs they need.
 * @module
 */
import type { Shape } from "./shape.ts"
import type { Box, Operation, Range, Tensor } from "./tensor.ts"

/** A rule of {@link Operation.slice}. */
export type SliceRule = NonNullable<Operation["slice"]>

/** All of a tensor. */
export const wholeBox = (shape: Shape): Box => shape.map((extent) => [0, extent])

/** Whether a range is one of indices known at run time. */
export const isIndices = (range: Range): range is Tensor => "operation" in range

/** Whether two ranges are the same. */
export const sameRange = (a: Range, b: Range): boolean =>
  a === b || (!isIndices(a) && !isIndices(b) && a[0] === b[0] && a[1] === b[1])

/** Whether two boxes are the same. */
export const sameBox = (a: Box, b: Box): boolean => a.every((range, axis) => sameRange(range, b[axis]))

/** Whether a box has all of an axis. */
export const isWholeAxis = ({ shape }: Tensor, box: Box, axis: number): boolean =>
  sameRange(box[axis], [0, shape[axis]])

/** The part of an operand that is broadcast to `box`. */
export const broadcastBox = (shape: Shape, box: Box): Box =>
  shape.map((extent, axis) => extent === 1 ? [0, 1] : box[box.length - shape.length + axis])

/** Of operations on elements: the same part of each input. */
export const sliceElements: SliceRule = ({ inputs }, box) => inputs.map((x) => broadcastBox(x.shape, box))

/** Of operations on rows: all of the last axis is needed. */
export const sliceRows: SliceRule = (node, box) =>
  isWholeAxis(node, box, box.length - 1) ? sliceElements(node, box) : undefined
