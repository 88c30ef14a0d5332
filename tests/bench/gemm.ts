/**
 * The product of two square matrices in float32 that the bench times, served by the protocol of small_step.ts.
 *
 * A step is one product that stays where it was computed. What a contestant reports as the loss is one element, `at`, so
 * that all can be seen to compute the same.
 * @module
 */
import { generator } from "./small_step.ts"

/** Rows and columns of both matrices. */
export const size = 512
/** Row and column of the element that is reported. */
export const at = [3, 5] as const

/** Operations of a product, multiplications and additions. */
export const flops: number = 2 * size ** 3

/** Both matrices, uniform from 0 to 1, row by row. */
export const operands = (): readonly [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] => {
  const next = generator(3)
  const draw = () => Float32Array.from({ length: size * size }, () => next() / 2147483647)
  return [draw(), draw()]
}
