import { broadcastStrides } from "../../kernels/view.ts"
import { sizeOf, stridesOf } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { expandOperation, flipOperation, permuteOperation, reshapeOperation, sliceOperation } from "../tensor/views.ts"

/** Where a tensor's elements lie in the memory of another (its base), in elements. */
export interface Layout {
  readonly base: Tensor
  readonly offset: number
  readonly shape: ReadonlyArray<number>
  readonly strides: ReadonlyArray<number>
}

/** The layout of a tensor that has memory of its own. */
export function contiguous(base: Tensor): Layout {
  return { base, offset: 0, shape: base.shape, strides: stridesOf(base.shape) }
}

/** The layout that a view has on top of its input's, or undefined if its elements must be copied first. */
export function viewOf(node: Tensor, from: Layout): Layout | undefined {
  const { operation, attributes, shape } = node
  if (operation === permuteOperation) {
    return { ...from, shape, strides: (attributes.order as number[]).map((axis) => from.strides[axis]) }
  }
  if (operation === sliceOperation) {
    const offset = (attributes.starts as number[]).reduce((at, start, axis) => at + start * from.strides[axis], 0)
    return { ...from, shape, offset: from.offset + offset }
  }
  if (operation === flipOperation) {
    const flipped = attributes.axis as number
    const offset = from.offset + Math.max(shape[flipped] - 1, 0) * from.strides[flipped]
    return { ...from, offset, strides: from.strides.map((stride, axis) => axis === flipped ? -stride : stride) }
  }
  if (operation === expandOperation) return { ...from, shape, strides: broadcastStrides(from, shape) }
  if (operation === reshapeOperation) {
    const strides = reshapedStrides(from, shape)
    return strides && { ...from, shape, strides }
  }
  return undefined
}

/** Strides that split and join axes without moving anything, if there are any. */
function reshapedStrides(from: Layout, shape: ReadonlyArray<number>): number[] | undefined {
  if (sizeOf(shape) === 0) return stridesOf(shape)
  const old = from.shape.map((extent, axis) => ({ extent, stride: from.strides[axis] })).filter((a) => a.extent !== 1)
  const strides = new Array<number>(shape.length).fill(0)
  let axis = 0
  for (let i = 0; i < old.length;) {
    while (axis < shape.length && shape[axis] === 1) axis++
    let [extentOld, extentNew] = [old[i].extent, shape[axis]]
    const firstNew = axis++
    const firstOld = i++
    while (extentOld !== extentNew) {
      if (extentOld < extentNew) extentOld *= old[i++].extent
      else extentNew *= shape[axis++]
    }
    // Old axes may join only where each one steps over the whole of the next.
    for (let j = firstOld; j + 1 < i; j++) {
      if (old[j].stride !== old[j + 1].stride * old[j + 1].extent) return undefined
    }
    for (let stride = old[i - 1].stride, j = axis - 1; j >= firstNew; j--) {
      strides[j] = stride
      stride *= shape[j]
    }
  }
  return strides
}
