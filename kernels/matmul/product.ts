/**
 * A matrix product in its simplest form: batch axes merged, and folded into m where all of them share one b.
 * @module
 */
import type { MatmulCall } from "./call.ts"

/** One batch axis. */
export interface BatchAxis {
  /** Number of entries. */
  readonly extent: number
  /** Distance in a, in elements. */
  readonly a: number
  /** Distance in b. */
  readonly b: number
  /** Distance in the output. */
  readonly output: number
  /** Distances in the views of the epilogue. */
  readonly beside: readonly number[]
}
/** `output[i, m, n] = sum over k of a[i, m, k] * b[i, k, n]`; distances in elements, the output's along n is 1. */
export interface Product {
  /** Outermost first; empty for a single product. */
  readonly batch: readonly BatchAxis[]
  /** Rows of a and of the output. */
  readonly m: number
  /** Columns of b and of the output. */
  readonly n: number
  /** Terms of each sum. */
  readonly k: number
  /** Distances in a along m and k. */
  readonly a: { readonly m: number; readonly k: number }
  /** Distances in b along k and n. */
  readonly b: { readonly k: number; readonly n: number }
  /** Distance in the output along m. */
  readonly output: { readonly m: number }
  /** Distances in the views of the epilogue along m and n: its inputs, then those in `also`. */
  readonly beside: readonly { readonly m: number; readonly n: number }[]
}

/**
 * The same product with as few batch axes, and as many rows, as possible. The order of the rows stays: row i of entry e
 * is number e * m + i of all rows, before and after.
 */
export const collapse = (call: MatmulCall): Product => {
  const rank = call.a.shape.length - 2
  const [m, k] = call.a.shape.slice(rank)
  const [am, ak] = call.a.strides.slice(rank)
  const [bk, bn] = call.b.strides.slice(rank)
  const { inputs = [], also = [] } = call.epilogue ?? {}
  const views = [...inputs, ...also.map(({ view }) => view)].map(({ strides }) => strides)
  const fold = (outer: readonly number[], extent: number, inner: readonly number[]) =>
    outer.every((distance, i) => distance === extent * inner[i])
  const batch: BatchAxis[] = []
  for (let axis = 0; axis < rank; axis++) {
    const extent = call.a.shape[axis]
    if (extent === 1) continue
    const [a, b, output] = [call.a, call.b, call.output].map(({ strides }) => strides[axis])
    const inner = { extent, a, b, output, beside: views.map((strides) => strides[axis]) }
    const outer = batch.at(-1)
    const joins = outer !== undefined &&
      fold([outer.a, outer.b, outer.output, ...outer.beside], extent, [a, b, output, ...inner.beside])
    if (joins) batch.pop()
    batch.push(joins ? { ...inner, extent: outer.extent * extent } : inner)
  }
  let rows: Omit<BatchAxis, "b"> = {
    extent: m,
    a: am,
    output: call.output.strides[rank],
    beside: views.map((strides) => strides[rank]),
  }
  for (let axis = batch.at(-1); axis?.b === 0; axis = batch.at(-1)) {
    const single = rows.extent === 1
    const folds = fold([axis.a, axis.output, ...axis.beside], rows.extent, [rows.a, rows.output, ...rows.beside])
    if (!single && !folds) break
    rows = single ? axis : { ...rows, extent: axis.extent * rows.extent }
    batch.pop()
  }
  return {
    batch,
    m: rows.extent,
    n: call.b.shape[rank + 1],
    k,
    a: { m: rows.a, k: ak },
    b: { k: bk, n: bn },
    output: { m: rows.output },
    beside: views.map((strides, i) => ({ m: rows.beside[i], n: strides[rank + 1] })),
  }
}
