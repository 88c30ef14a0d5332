/**
 * The update of a Linear's weight: low rank (Hu et al. 2021), less what PiSSA or OLoRA started from, and DoRA's rescaling
 * of rows (Liu et al. 2024).
 * @module
 */
import type { Tensor } from "../../core/tensor/tensor.ts"
import * as ops from "../../core/tensor/ops.ts"

/** Name of A, [r, inFeatures]. */
export const A = "lora_A"
/** Name of B, [outFeatures, r]. */
export const B = "lora_B"
/** Name of DoRA's lengths of rows, [outFeatures]. */
export const MAGNITUDE = "lora_magnitude_vector"
/** Name of what A started from, where the update is counted from there. */
export const INITIAL_A = "initial_A"
/** Name of what B started from. */
export const INITIAL_B = "initial_B"

/** Name of A at an Embedding, [r, rows]. */
export const EMBEDDING_A = "lora_embedding_A"
/** Name of B at an Embedding, [width, r]. */
export const EMBEDDING_B = "lora_embedding_B"

/** What an adapter is at one Linear. */
export interface LowRank {
  /** Factor of B A. */
  readonly scale: number
  /** Whether what A and B started from is taken off the base weight: s (B A - B0 A0). */
  readonly fromBase: boolean
  /** One of its parameters by name. */
  readonly parameter: (name: string) => Tensor
}

/** scale B A x. */
export function narrowProduct(x: Tensor, a: Tensor, b: Tensor, scale: number): Tensor {
  const down = ops.matmul(x, a, { transposeB: true })
  return ops.matmul(ops.mul(down, scale), b, { transposeB: true })
}

/** The update without DoRA: scale (B A - B0 A0), [outFeatures, inFeatures]. */
export function lowRankWeight({ scale, fromBase, parameter }: LowRank): Tensor {
  const update = ops.matmul(parameter(B), parameter(A))
  const whole = fromBase ? ops.sub(update, ops.matmul(parameter(INITIAL_B), parameter(INITIAL_A))) : update
  return ops.mul(whole, scale)
}

/** A weight with the update in it; `value` may hold other updates, this one counts from `base`. */
export function mergeLowRank(value: Tensor, base: Tensor, lowRank: LowRank, dora: boolean): Tensor {
  const update = lowRankWeight(lowRank)
  if (!dora) return ops.add(value, update)
  const factors = rowFactors(base, lowRank)
  const whole = ops.mul(ops.add(base, update), ops.reshape(factors, [...factors.shape, 1]))
  return value === base ? whole : ops.add(value, ops.sub(whole, base))
}

/** Length of each row: [outFeatures]. The paper's columns, as a weight is the other way around here. */
export function rowLengths(weight: Tensor): Tensor {
  return ops.sqrt(ops.sum(ops.mul(weight, weight), [1]))
}

/** DoRA's factor of each row, m / |W + update|; gradients take the length for constant (section 4.3). */
export function rowFactors(weight: Tensor, lowRank: LowRank): Tensor {
  const lengths = rowLengths(ops.add(weight, lowRankWeight(lowRank)))
  return ops.div(lowRank.parameter(MAGNITUDE), ops.stopGradient(lengths))
}
