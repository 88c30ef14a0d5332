/**
 * A matrix product in its simplest form: batch axes merged, and folded into m where all of them share one b.
 * @module
 */
import type { MatmulCall } from "../contract.ts"

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
}

/** The same product with as few batch axes, and as many rows, as possible. */
export const collapse = (call: MatmulCall): Product => {
  const rank = call.a.shape.length - 2
  const [m, k] = call.a.shape.slice(rank)
  const [am, ak] = call.a.strides.slice(rank)
  const [bk, bn] = call.b.strides.slice(rank)
  const batch: BatchAxis[] = []
  for (let axis = 0; axis < rank; axis++) {
    const extent = call.a.shape[axis]
    if (extent === 1) continue
    const inner = { extent, a: call.a.strides[axis], b: call.b.strides[axis], output: call.output.strides[axis] }
    const outer = batch.at(-1)
    const joins = outer !== undefined && outer.a === extent * inner.a && outer.b === extent * inner.b &&
      outer.output === extent * inner.output
    if (joins) batch.pop()
    batch.push(joins ? { ...inner, extent: outer.extent * extent } : inner)
  }
  let rows = { extent: m, a: am, output: call.output.strides[rank] }
  for (let axis = batch.at(-1); axis?.b === 0; axis = batch.at(-1)) {
    const single = rows.extent === 1
    if (!single && (axis.a !== rows.extent * rows.a || axis.output !== rows.extent * rows.output)) break
    rows = single
      ? { extent: axis.extent, a: axis.a, output: axis.output }
      : { ...rows, extent: axis.extent * rows.extent }
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
  }
}
