/**
 * Relative positions in buckets (Raffel et al. 2020, section 2.1): a learned bias on the scores of attention.
 * @module
 */
import * as ops from "../../../tensor/ops.ts"
import type { Tensor } from "../../../tensor/tensor.ts"
import type { Decoding, Module, Scope } from "../../module.ts"

/** How distances become buckets. */
export interface Buckets {
  /** Number of buckets, from 4. */
  readonly count: number
  /** Distance from which on all share the last bucket; more than half of a direction's buckets. */
  readonly maxDistance: number
  /** Whether keys after the query have half of the buckets; else they share the first. */
  readonly bothWays: boolean
}

/** A bias on scores by the distance of key and query, the same in all layers that it is given to. */
export interface RelativePositions extends Buckets {
  /** Embedding of buckets: [count, heads]. */
  readonly table: Module
}

/** Where queries and keys lie. */
export interface Extent {
  /** Number of queries. */
  readonly length: number
  /** Number of keys, those that methods put before the tokens included. */
  readonly keys: number
  /** How many come before the tokens. */
  readonly prefix: number
  /** The cache that the keys come from. */
  readonly decoding: Decoding | undefined
}

/** Bias on the scores of attention: [1 or B, heads, length, keys]. */
export function relativeBias(
  scope: Scope,
  { table, ...buckets }: RelativePositions,
  { length, keys, prefix, decoding }: Extent,
): Tensor {
  const far = keys - 1
  const distances = Int32Array.from({ length: 2 * far + 1 }, (_, i) => bucketOf(i - far, buckets))
  const byDistance = scope.call(table, ops.constant(distances, [distances.length]))
  const cached = decoding === undefined || decoding.first
    ? prefix
    : ops.add(ops.reshape(decoding.start, [-1, 1, 1]), prefix)
  const queries = ops.add(ops.iota([1, length, 1], 1), cached)
  const index = ops.add(ops.sub(ops.iota([1, 1, keys], 2), queries), far)
  return ops.permute(ops.gather(byDistance, index), [0, 3, 1, 2])
}

const { fround } = Math

/**
 * The bucket of a key at `distance` from the query, negative before it: one for each distance up to half of them, then
 * wider ones, by the logarithm. In float32 as transformers computes it, so that both round alike.
 */
export function bucketOf(distance: number, { count, maxDistance, bothWays }: Buckets): number {
  const own = bothWays ? Math.floor(count / 2) : count
  const first = bothWays && distance > 0 ? own : 0
  const far = bothWays ? Math.abs(distance) : Math.max(0, -distance)
  const exact = Math.floor(own / 2)
  if (far < exact) return first + far
  const share = fround(fround(Math.log(fround(far / exact))) / fround(Math.log(maxDistance / exact)))
  return first + Math.min(own - 1, exact + Math.trunc(fround(share * (own - exact))))
}
