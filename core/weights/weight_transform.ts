/**
 * Changes between tensors as files store them and as a model has them, in both directions.
 * @module
 */
import { type Shape, sizeOf } from "../tensor/shape.ts"
import { ShapeError } from "../tensor/shape_error.ts"
import { type PackedRows, rowsFrom, rowsInOrder } from "./packed_rows.ts"

/** A tensor whose numbers are read when they are needed. */
export interface LazyTensor {
  /** Its name, for errors. */
  readonly name: string
  /** Extents of its axes. */
  readonly shape: Shape
  /** Gives all elements, row-major. */
  readonly read: () => Promise<Float32Array>
  /** The numbers as files hold them, for memory that holds them in the same encoding. Default: they are not to be had so. */
  readonly packed?: PackedRows
  /** The tensor that this one is with its axes swapped, still packed. Default: none. */
  readonly swapped?: LazyTensor
}

/** A change of tensors and its inverse. Both throw {@link ShapeError} on shapes that they do not take. */
export interface WeightTransform {
  /** From tensors of files to those of the model. */
  readonly load: (stored: ReadonlyArray<LazyTensor>) => ReadonlyArray<LazyTensor>
  /** From tensors of the model to those of files. */
  readonly save: (own: ReadonlyArray<LazyTensor>) => ReadonlyArray<LazyTensor>
}

/** Swaps the two axes of each matrix: files hold [in, out], the model [out, in]. Swapped twice, it is what it was. */
export const transpose: WeightTransform = {
  load: (stored) => stored.map(transposed),
  save: (own) => own.map(transposed),
}

/**
 * Cuts one stored tensor into several, such as a fused projection into queries, keys and values. Parts along the first
 * axis stay packed.
 *
 * @param axis The axis that is cut.
 * @param sizes Extents of the parts along it.
 */
export function split(axis: number, sizes: ReadonlyArray<number>): WeightTransform {
  return { load: ([whole]) => cut(whole, axis, sizes), save: (own) => [joined(own, axis)] }
}

/** Puts several stored tensors together as one along an axis: the inverse of {@link split}. */
export function join(axis: number, sizes: ReadonlyArray<number>): WeightTransform {
  const { load, save } = split(axis, sizes)
  return { load: save, save: load }
}

/**
 * Puts the parts of each tensor along its first axis in another order; a matrix stays packed.
 *
 * @param order By place in the model, the place in the files.
 */
export function permuteRows(order: ReadonlyArray<number>): WeightTransform {
  const back = new Array<number>(order.length)
  order.forEach((from, to) => back[from] = to)
  return {
    load: (stored) => stored.map((tensor) => permuted(tensor, order)),
    save: (own) => own.map((tensor) => permuted(tensor, back)),
  }
}

/** Adds a number to all elements: files hold less by so much. */
export function shifted(by: number): WeightTransform {
  const plus = (own: ReadonlyArray<LazyTensor>, by: number) =>
    own.map(({ name, shape, read }) => ({ name, shape, read: async () => (await read()).map((value) => value + by) }))
  return { load: (stored) => plus(stored, by), save: (own) => plus(own, -by) }
}

/** Several changes, the first one nearest to the files. */
export function chain(...transforms: ReadonlyArray<WeightTransform>): WeightTransform {
  return {
    load: (stored) => transforms.reduce((tensors, { load }) => load(tensors), stored),
    save: (own) => transforms.reduceRight((tensors, { save }) => save(tensors), own),
  }
}

function transposed(tensor: LazyTensor): LazyTensor {
  const { name, shape, read, swapped } = tensor
  if (swapped !== undefined) return { ...swapped, name }
  if (shape.length !== 2) {
    throw new ShapeError({ message: `"${name}" is [${shape}]; only a matrix can be transposed` })
  }
  const [rows, columns] = shape
  return {
    name,
    shape: [columns, rows],
    swapped: tensor,
    read: async () => {
      const data = await read()
      const out = new Float32Array(data.length)
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]
      return out
    },
  }
}

function permuted({ name, shape, read, packed }: LazyTensor, order: ReadonlyArray<number>): LazyTensor {
  if (shape[0] !== order.length) {
    throw new ShapeError({ message: `"${name}" is [${shape}]; axis 0 must be ${order.length} to be put in order` })
  }
  const inner = sizeOf(shape.slice(1))
  return {
    name,
    shape,
    read: async () => {
      const data = await read()
      const out = new Float32Array(data.length)
      order.forEach((from, to) => out.set(data.subarray(from * inner, (from + 1) * inner), to * inner))
      return out
    },
    ...(packed === undefined || shape.length !== 2 ? {} : { packed: rowsInOrder(packed, inner, order) }),
  }
}

function cut(whole: LazyTensor, axis: number, sizes: ReadonlyArray<number>): ReadonlyArray<LazyTensor> {
  const { name, shape, read, packed } = whole
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (shape[axis] !== total) {
    throw new ShapeError({ message: `"${name}" is [${shape}]; axis ${axis} must be ${sizes.join(" + ")} = ${total}` })
  }
  return sizes.map((size, part) => {
    const before = sizes.slice(0, part).reduce((sum, size) => sum + size, 0)
    return {
      name,
      shape: shape.with(axis, size),
      read: async () => {
        const [data, out] = [await read(), new Float32Array(sizeOf(shape) / total * size)]
        for (const { whole, part, length } of runsOf(shape, axis, before, size)) {
          out.set(data.subarray(whole, whole + length), part)
        }
        return out
      },
      ...(packed === undefined || axis > 0 || shape.length < 2
        ? {}
        : { packed: rowsFrom(packed, before * sizeOf(shape.slice(1, -1))) }),
    }
  })
}

function joined(own: ReadonlyArray<LazyTensor>, axis: number): LazyTensor {
  const [{ name, shape: first }] = own
  const odd = own.find(({ shape }) => `${shape.with(axis, 0)}` !== `${first.with(axis, 0)}`)
  if (odd !== undefined) {
    throw new ShapeError({
      message: `"${odd.name}" is [${odd.shape}], "${name}" [${first}]; they must differ along axis ${axis} alone`,
    })
  }
  const shape = first.with(axis, own.reduce((sum, { shape }) => sum + shape[axis], 0))
  return {
    name,
    shape,
    read: async () => {
      const out = new Float32Array(sizeOf(shape))
      let before = 0
      for (const tensor of own) {
        const data = await tensor.read()
        for (const { whole, part, length } of runsOf(shape, axis, before, tensor.shape[axis])) {
          out.set(data.subarray(part, part + length), whole)
        }
        before += tensor.shape[axis]
      }
      return out
    },
  }
}

/** Runs of neighbouring elements that a part of a tensor, `size` wide from `before` on, has in common with the whole. */
function* runsOf(
  shape: Shape,
  axis: number,
  before: number,
  size: number,
): Generator<{ readonly whole: number; readonly part: number; readonly length: number }> {
  const inner = sizeOf(shape.slice(axis + 1))
  for (let outer = 0; outer < sizeOf(shape.slice(0, axis)); outer++) {
    yield {
      whole: (outer * shape[axis] + before) * inner,
      part: outer * size * inner,
      length: size * inner,
    }
  }
}
