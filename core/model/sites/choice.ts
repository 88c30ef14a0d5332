/**
 * Batches whose rows use different plugins, in graphs.
 * @module
 */
import type { Factors } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { productByRow } from "./product_by_row.ts"

/** The plugin of each row of a batch. Plugins that are not listed apply to every row. */
export interface Choice {
  /** Ids of the plugins to choose from. */
  readonly plugins: ReadonlyArray<string>
  /** Index in `plugins` of each row's plugin, `plugins.length` for none: i32 [B]. */
  readonly index: Tensor
}

/** `then` in the rows that chose the plugin of this index, `otherwise` in the others. */
export function inRowsOf(index: Tensor, place: number, then: Tensor, otherwise: Tensor | number): Tensor {
  const own = ops.reshape(ops.equal(index, place), [index.shape[0], ...new Array(then.shape.length - 1).fill(1)])
  return ops.where(own, then, otherwise)
}

/**
 * x down^T up^T with the factors of each row's plugin: [B, T, outFeatures]. Two tables hold the factors, one entry a
 * plugin and one of zeros, padded to the greatest rank.
 */
export function rowProducts(
  x: Tensor,
  { plugins, index }: Choice,
  factors: ReadonlyMap<number, Factors>,
): Tensor {
  const all = [...factors.values()]
  const [inFeatures, outFeatures] = [all[0].down.shape[1], all[0].up.shape[0]]
  const rank = Math.max(...all.map(({ down }) => down.shape[0]))
  const table = (shape: ReadonlyArray<number>, of: (place: number) => Tensor | undefined) => {
    const size = shape[0] * shape[1]
    const lines = Array.from({ length: plugins.length + 1 }, (_, place) => {
      const own = of(place)
      if (own === undefined) return ops.full(0, [1, size])
      const missing = shape.map((extent, axis) => extent - own.shape[axis])
      return ops.reshape(missing.some((extent) => extent > 0) ? ops.pad(own, [0, 0], missing) : own, [1, size])
    })
    return ops.reshape(ops.gather(ops.concat(lines, 0), index), [index.shape[0], ...shape])
  }
  const down = table([rank, inFeatures], (place) => factors.get(place)?.down)
  return productByRow(productByRow(x, down), table([outFeatures, rank], (place) => factors.get(place)?.up))
}
