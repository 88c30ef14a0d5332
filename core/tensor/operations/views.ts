import { isIndices, sameRange, sliceElements } from "../box.ts"
import { offsetsOf, picked } from "../numbers.ts"
import { axisOf, sameShape, type Shape, show, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { type Box, node, type Numbers, type Operation, type Range, type Strided, type Tensor } from "../tensor.ts"

/** The reference of views. */
export const pick: NonNullable<Operation["reference"]> = (n, [data]) => {
  const from = n.inputs[0].shape
  const { shape, offset, strides } = n.operation.view!(n, { offset: 0, shape: from, strides: stridesOf(from) })!
  return picked(data, strides, shape, offset)
}

/** The same elements in another shape. */
export const reshapeOperation: Operation = {
  name: "reshape",
  derivative: (n, cotangent) => [reshape(cotangent, n.inputs[0].shape)],
  reference: (_, [data]) => data,
  view: ({ shape }, input) => {
    const strides = reshapedStrides(input, shape)
    return strides && { offset: input.offset, shape, strides }
  },
  slice: ({ inputs: [x], shape }, box) => {
    const part = reshapedBox(shape, box, x.shape)
    return part && [part]
  },
  lift: {},
}
/** Axes in another order: attribute `order`. */
export const permuteOperation: Operation = {
  name: "permute",
  derivative: (n, cotangent) => {
    const order = n.attributes.order as number[]
    return [permute(cotangent, order.map((_, axis) => order.indexOf(axis)))]
  },
  reference: pick,
  view: ({ attributes, shape }, { offset, strides }) => ({
    offset,
    shape,
    strides: (attributes.order as number[]).map((axis) => strides[axis]),
  }),
  slice: ({ attributes }, box) => {
    const order = attributes.order as number[]
    return [order.map((_, axis) => box[order.indexOf(axis)])]
  },
  lift: { attributes: ({ order }) => ({ order: [0, ...(order as number[]).map((axis) => axis + 1)] }) },
}
/** A box out of a tensor: attribute `starts`. */
export const sliceOperation: Operation = {
  name: "slice",
  derivative: (n, cotangent) => {
    const from = n.inputs[0].shape
    const starts = n.attributes.starts as number[]
    return [pad(cotangent, starts, from.map((extent, axis) => extent - starts[axis] - n.shape[axis]))]
  },
  reference: pick,
  view: ({ attributes, shape }, { offset, strides }) => ({
    offset: (attributes.starts as number[]).reduce((at, start, axis) => at + start * strides[axis], offset),
    shape,
    strides,
  }),
  slice: ({ attributes, shape, inputs: [x] }, box) => {
    const starts = attributes.starts as number[]
    // Indices into a slice that is not the whole axis would have to be moved.
    if (box.some((range, axis) => isIndices(range) && shape[axis] !== x.shape[axis])) return
    return [box.map((range, axis) => isIndices(range) ? range : [range[0] + starts[axis], range[1] + starts[axis]])]
  },
  lift: { attributes: ({ starts }) => ({ starts: [0, ...starts as number[]] }) },
}
/** One axis in reverse: attribute `axis`. */
const flipOperation: Operation = {
  name: "flip",
  derivative: (n, cotangent) => [flip(cotangent, n.attributes.axis as number)],
  reference: pick,
  view: ({ attributes, shape }, { offset, strides }) => {
    const flipped = attributes.axis as number
    return {
      offset: offset + Math.max(shape[flipped] - 1, 0) * strides[flipped],
      shape,
      strides: strides.map((stride, axis) => axis === flipped ? -stride : stride),
    }
  },
  lift: { attributes: ({ axis }) => ({ axis: axis as number + 1 }) },
}
/** A tensor framed with zeros: attribute `before`. */
export const padOperation: Operation = {
  name: "pad",
  derivative: (n, cotangent) => [slice(cotangent, n.attributes.before as number[], n.inputs[0].shape)],
  reference: (n, [data]) => {
    const out = new Float64Array(sizeOf(n.shape))
    place(out, n.shape, n.attributes.before as number[], data, n.inputs[0].shape)
    return out
  },
  lift: { attributes: ({ before }) => ({ before: [0, ...before as number[]] }) },
}
/** Tensors one after the other along an axis: attribute `axis`. */
export const concatOperation: Operation = {
  name: "concat",
  derivative: (n, cotangent) => {
    const axis = n.attributes.axis as number
    let start = 0
    return n.inputs.map((part) => {
      const starts = part.shape.map((_, a) => a === axis ? start : 0)
      start += part.shape[axis]
      return slice(cotangent, starts, part.shape)
    })
  },
  reference: (n, inputs) => {
    const axis = n.attributes.axis as number
    const out = new Float64Array(sizeOf(n.shape))
    let start = 0
    inputs.forEach((data, i) => {
      const shape = n.inputs[i].shape
      place(out, n.shape, shape.map((_, a) => a === axis ? start : 0), data, shape)
      start += shape[axis]
    })
    return out
  },
  lift: { attributes: ({ axis }) => ({ axis: axis as number + 1 }) },
}
/** The identity that lets no derivative through. */
const stopGradientOperation: Operation = {
  name: "stopGradient",
  derivative: () => [undefined],
  decompose: (n) => n.inputs[0],
  slice: sliceElements,
}

/** Strides that split and join axes without moving anything, if there are any. */
function reshapedStrides(from: Strided, shape: Shape): number[] | undefined {
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
/** A box of `shape` as one of the same elements in the shape `from`, where it stays a box. */
function reshapedBox(shape: Shape, box: Box, from: Shape): Box | undefined {
  if (sizeOf(shape) === 0) return
  const result: Array<Range> = from.map(() => [0, 1])
  // Axes of one element are nowhere in particular.
  const many = (extents: Shape) => [...extents.keys()].filter((axis) => extents[axis] !== 1)
  const [olds, news] = [many(from), many(shape)]
  if (box.some((range, axis) => shape[axis] === 1 && isIndices(range))) return
  let axis = 0
  for (let old = 0; old < olds.length;) {
    // The shortest runs of axes, old and new, with the same number of elements.
    const [firstOld, firstNew] = [old, axis]
    let [sizeOld, sizeNew] = [from[olds[old++]], shape[news[axis++]]]
    while (sizeOld !== sizeNew) {
      if (sizeOld < sizeNew) sizeOld *= from[olds[old++]]
      else sizeNew *= shape[news[axis++]]
    }
    const [ownOlds, ownNews] = [olds.slice(firstOld, old), news.slice(firstNew, axis)]
    if (ownNews.every((at) => sameRange(box[at], [0, shape[at]]))) ownOlds.forEach((at) => result[at] = [0, from[at]])
    else if (ownOlds.length === 1 && ownNews.length === 1) result[ownOlds[0]] = box[ownNews[0]]
    else return
  }
  return result
}

/** Writes data of `shape` into `out` [...into] from `starts` on. */
function place(out: Numbers, into: Shape, starts: ReadonlyArray<number>, data: Numbers, shape: Shape): void {
  const strides = stridesOf(into)
  const first = starts.reduce((at, start, axis) => at + start * strides[axis], 0)
  offsetsOf(strides, shape, first).forEach((at, i) => out[at] = data[i])
}

/** The same elements in another shape; one extent may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((extent) => extent !== -1))
  const full = shape.map((extent) => extent === -1 ? sizeOf(x.shape) / known : extent)
  if (sizeOf(full) !== sizeOf(x.shape) || !full.every(Number.isInteger)) {
    throw new ShapeError({ message: `Cannot reshape ${show(x.shape)} to ${show(shape)}` })
  }
  return sameShape(full, x.shape) ? x : node(reshapeOperation, [x], full, x.dtype)
}

/** Axes in another order: axis `i` of the result is axis `order[i]` of `x`. */
export function permute(x: Tensor, order: ReadonlyArray<number>): Tensor {
  const axes = order.map((axis) => axisOf(axis, x.shape.length))
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    throw new ShapeError({ message: `[${order}] is not an order of the axes of ${show(x.shape)}` })
  }
  if (axes.every((axis, i) => axis === i)) return x
  return node(permuteOperation, [x], axes.map((axis) => x.shape[axis]), x.dtype, { order: axes })
}

/** The last two axes exchanged. */
export function transpose(x: Tensor): Tensor {
  const rank = x.shape.length
  return permute(x, [...x.shape.keys()].map((axis) => axis < rank - 2 ? axis : 2 * rank - 3 - axis))
}

/** The box of extents `shape` that begins at `starts`. */
export function slice(x: Tensor, starts: ReadonlyArray<number>, shape: Shape): Tensor {
  const fits = starts.length === x.shape.length && shape.length === x.shape.length &&
    x.shape.every((extent, axis) =>
      Number.isInteger(starts[axis]) && starts[axis] >= 0 && shape[axis] >= 0 && starts[axis] + shape[axis] <= extent
    )
  if (!fits) throw new ShapeError({ message: `No box ${show(shape)} at ${show(starts)} in ${show(x.shape)}` })
  return sameShape(shape, x.shape) ? x : node(sliceOperation, [x], shape, x.dtype, { starts })
}

/** Places `from <= i < to` along one axis. */
export function narrow(x: Tensor, axis: number, from: number, to: number): Tensor {
  const a = axisOf(axis, x.shape.length)
  return slice(x, x.shape.map((_, i) => i === a ? from : 0), x.shape.map((extent, i) => i === a ? to - from : extent))
}

/** One axis in reverse. */
export function flip(x: Tensor, axis: number): Tensor {
  return node(flipOperation, [x], x.shape, x.dtype, { axis: axisOf(axis, x.shape.length) })
}

/** Zeros put `before` and `after` along each axis. */
export function pad(x: Tensor, before: ReadonlyArray<number>, after: ReadonlyArray<number>): Tensor {
  const shape = x.shape.map((extent, axis) => before[axis] + extent + after[axis])
  if (![...before, ...after].every((count) => count >= 0)) {
    throw new ShapeError({ message: `Cannot pad ${show(x.shape)} by ${show(before)} and ${show(after)}` })
  }
  return sameShape(shape, x.shape) ? x : node(padOperation, [x], shape, x.dtype, { before })
}

/** Tensors one after the other along `axis`. */
export function concat(parts: ReadonlyArray<Tensor>, axis: number): Tensor {
  const [first] = parts
  if (first === undefined) throw new ShapeError({ message: "concat needs at least one tensor" })
  const a = axisOf(axis, first.shape.length)
  for (const part of parts) {
    const fits = part.dtype === first.dtype && part.shape.length === first.shape.length &&
      part.shape.every((extent, i) => i === a || extent === first.shape[i])
    if (!fits) throw new ShapeError({ message: `Cannot join ${show(part.shape)} to ${show(first.shape)} on axis ${a}` })
  }
  const extent = parts.reduce((total, part) => total + part.shape[a], 0)
  return parts.length === 1
    ? first
    : node(concatOperation, parts, first.shape.map((e, i) => i === a ? extent : e), first.dtype, { axis: a })
}

/** The same value; derivatives end here. */
export function stopGradient(x: Tensor): Tensor {
  return node(stopGradientOperation, [x], x.shape, x.dtype)
}
