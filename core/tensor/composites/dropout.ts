import { less, mul, uniform, where } from "../operations/elementwise.ts"
import type { Tensor } from "../tensor.ts"

/**
 * Zeroes each element with probability `rate` and scales the others by 1 / (1 - rate) (Srivastava et al. 2014).
 * `key` are two i32 scalars (seed and step); `salt` tells places of the model apart.
 */
export function dropout(x: Tensor, rate: number, salt: number, key: readonly [Tensor, Tensor]): Tensor {
  return rate === 0 ? x : where(less(uniform(x.shape, salt, key), rate), 0, mul(x, 1 / (1 - rate)))
}
