import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { uniformByChaCha } from "./uniform.ts"

/** Normal numbers that add up to one: sums of float32 do not show the last bits of their terms (Opacus' secure mode). */
const TERMS = 4

/**
 * Standard normal numbers of a shape, by Box and Muller's transform of {@link uniformByChaCha}: each is half the sum of
 * four, against attacks on the bits of floating point noise (Holohan and Braghin 2021).
 *
 * @param key i32 [8]
 * @param step Step of the run: i32 [].
 * @param stream Another stream of one key and step: one for each parameter.
 */
export function secureNormal(key: Tensor, step: Tensor, stream: number, shape: ReadonlyArray<number>): Tensor {
  const size = shape.reduce((a, b) => a * b, 1)
  // A pair of uniform numbers gives two normal numbers.
  const pairs = TERMS / 2 * size
  const uniform = uniformByChaCha(key, step, stream, 2 * pairs)
  const radius = ops.sqrt(ops.mul(-2, ops.log(ops.slice(uniform, [0], [pairs]))))
  const angle = ops.mul(2 * Math.PI, ops.slice(uniform, [pairs], [pairs]))
  const both = ops.add(ops.cos(angle), ops.sin(angle))
  const terms = ops.reshape(ops.mul(radius, both), [TERMS / 2, size])
  return ops.reshape(ops.mul(0.5, ops.sum(terms, [0])), shape)
}
