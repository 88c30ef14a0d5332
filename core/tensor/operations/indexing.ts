import { isWholeAxis, sameBox, wholeBox } from "../box.ts"
import { add, mul } from "./elementwise.ts"
import { offsetsOf } from "../numbers.ts"
import { iota } from "./leaves.ts"
import { batchSum } from "./broadcast.ts"
import { sameShape, show, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { reshape } from "./views.ts"

/** Rows of a table by index. */
export const gatherOperation: Operation = {
  name: "gather",
  kernel: "gather",
  derivative: (n, cotangent) => [batchSum(scatterAdd(n.inputs[1], cotangent, n.inputs[0].shape[0], true)), undefined],
  reference: (n, [table, indices]) => {
    const width = n.inputs[0].shape[1]
    const out = new Float64Array(sizeOf(n.shape))
    indices.forEach((row, i) => out.set(table.subarray(row * width, (row + 1) * width), i * width))
    return out
  },
  slice: (n, box) => {
    const [table, indices] = n.inputs
    if (!isWholeAxis(n, box, box.length - 1)) return
    const ofIndices = box.slice(0, -1)
    const [count] = indices.shape
    const picks = table.inputs.length > 0 && indices.shape.length === 1 && count < table.shape[0] &&
      sameBox(ofIndices, wholeBox(indices.shape))
    return [picks ? [indices, [0, table.shape[1]]] : wholeBox(table.shape), ofIndices]
  },
}
/** Rows added into a table of zeros by index; attributes `rows`, `perExample`. */
export const scatterAddOperation: Operation = {
  name: "scatterAdd",
  kernel: "scatter_add",
  derivative: (n, cotangent) => {
    const [indices] = n.inputs
    const rows = n.attributes.rows as number
    if (!n.attributes.perExample) return [undefined, gather(cotangent, indices)]
    const example = mul(iota(indices.shape.map((extent, axis) => axis === 0 ? extent : 1), 0), rows)
    return [undefined, gather(reshape(cotangent, [-1, n.shape.at(-1)!]), add(indices, example))]
  },
  reference: (n, [indices, updates]) => {
    const width = n.shape.at(-1)!
    const rows = n.attributes.rows as number
    const each = n.attributes.perExample ? indices.length / n.shape[0] : indices.length
    const out = new Float64Array(sizeOf(n.shape))
    indices.forEach((row, i) => {
      if (row < 0 || row >= rows) return
      const at = (Math.floor(i / each) * rows + row) * width
      for (let c = 0; c < width; c++) out[at + c] += updates[i * width + c]
    })
    return out
  },
}
/** Part of a state replaced, in place where the state is a slot; attribute `axis`. No derivative: it serves inference. */
export const updateSliceOperation: Operation = {
  name: "updateSlice",
  kernel: "update_slice",
  reference: (n, [state, source, start]) => {
    const { shape } = n.inputs[1]
    const strides = stridesOf(n.shape), step = strides[n.attributes.axis as number]
    const named = n.inputs[2].shape.length === 2
    const out = Float64Array.from(state)
    offsetsOf(strides, shape).forEach((offset, i) => {
      const row = start.length === 1 ? 0 : Math.floor(i / sizeOf(shape.slice(1)))
      const to = named ? (start[2 * row] - row) * strides[0] + start[2 * row + 1] * step : start[row] * step
      out[offset + to] = source[i]
    })
    return out
  },
}

/** Rows of `table` [rows, width] by `indices` (i32, [...]): [..., width]. Indices must be inside the table. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  if (table.shape.length !== 2 || indices.dtype !== "i32") {
    throw new ShapeError({
      message: `gather needs a table [rows, width] and i32 indices, got ${show(table.shape)}, ${indices.dtype}`,
    })
  }
  return node(gatherOperation, [table, indices], [...indices.shape, table.shape[1]], table.dtype)
}

/**
 * Adds each row of `updates` [...indices, width] to the row that `indices` (i32) names in a table of zeros
 * [rows, width]; with `perExample` into one table for each place of axis 0: [B, rows, width].
 */
export function scatterAdd(indices: Tensor, updates: Tensor, rows: number, perExample = false): Tensor {
  if (!sameShape(indices.shape, updates.shape.slice(0, -1)) || indices.dtype !== "i32") {
    throw new ShapeError({
      message: `scatterAdd got indices ${show(indices.shape)} for updates ${show(updates.shape)}`,
    })
  }
  const table = [rows, updates.shape.at(-1)!]
  const shape = perExample ? [indices.shape[0], ...table] : table
  return node(scatterAddOperation, [indices, updates], shape, updates.dtype, { rows, perExample })
}

/**
 * `state` with `source` in it, from index `start` on along `axis` and from 0 on along the others. `start` is i32 [1], or
 * [source.shape[0]]: an index for each row, along an axis other than 0. Or it is i32 [source.shape[0], 2]: for each row, the
 * row of the state that it goes to, then the index; of two that go to one place, either may stay.
 */
export function updateSlice(state: Tensor, source: Tensor, start: Tensor, axis: number): Tensor {
  const starts = sizeOf(start.shape), [rows] = source.shape
  const named = axis !== 0 && sameShape(start.shape, [rows, 2])
  const fits = state.shape.length === source.shape.length && start.dtype === "i32" &&
    (named || starts === 1 || axis !== 0 && starts === rows) &&
    state.shape.every((extent, a) => named && a === 0 || source.shape[a] <= extent)
  if (!fits) {
    const message = `Cannot write ${show(source.shape)} into ${show(state.shape)} on axis ${axis}, from ` +
      `${start.dtype}${show(start.shape)} on`
    throw new ShapeError({ message })
  }
  return node(updateSliceOperation, [state, source, start], state.shape, state.dtype, { axis })
}
