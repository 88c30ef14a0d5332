/**
 * Which keys a query of attention sees: ranges, never a matrix.
 * @module
 */
import { add, equal, less, lessEqual, max, min, mul, sub, toFloat, where } from "../operations/elementwise.ts"
import { full, iota } from "../operations/leaves.ts"
import { sum } from "../operations/broadcast.ts"
import { show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import type { Attributes, Tensor } from "../tensor.ts"
import { narrow, pad, reshape } from "../operations/views.ts"

/**
 * Which of S keys each of T queries sees. The first `prefix` keys are visible to every query; the rest are numbered from
 * 0. The query at position p sees key j where all that is given holds: j <= p (`causal`), |p - j| < `window`,
 * j < `keyLengths`, `segments[j] = segments[p]`. Default: all keys. Tensors are i32; B is the batch.
 */
export interface Visibility {
  /** Whether a query sees no key after its own position. Default false. */
  readonly causal?: boolean
  /** Distance from which on keys are hidden, from 1. Default: none. */
  readonly window?: number
  /** Number of keys before the sequence. Default 0. */
  readonly prefix?: number
  /** Position of the first query, [B or 1], or of each, [B or 1, T]. Default 0. */
  readonly queryStart?: Tensor
  /** Number of keys of each row after the prefix, [B or 1]. */
  readonly keyLengths?: Tensor
  /**
   * Segment of each key after the prefix, [B or 1, S - prefix]; never decreasing along a row. A position outside takes the
   * nearest.
   */
  readonly segments?: Tensor
  /**
   * Keys and values are pages of P keys in a pool, P a multiple of 8: this names the page of keys j P to (j + 1) P of each
   * row, [B, S / P]. For inference: there is no derivative. Default: keys and values lie in rows.
   */
  readonly pages?: Tensor
}

/** Inputs of attention that tell what is visible, in the kernels' names. */
export interface VisibilityOperands {
  /** Position of each query, [B or 1, T]; there where something depends on it. */
  readonly queryPositions?: Tensor
  /** See {@link Visibility.keyLengths}. */
  readonly keyLengths?: Tensor
  /** See {@link Visibility.segments}. */
  readonly segments?: Tensor
  /** See {@link Visibility.pages}. */
  readonly pages?: Tensor
}

/** Checks a visibility of `batch` rows with T `queries` and S `keys`: attributes and inputs of the operation. */
export function visibilityOf(
  { causal = false, window, prefix = 0, queryStart, keyLengths, segments, pages }: Visibility,
  batch: number,
  queries: number,
  keys: number,
): { readonly attributes: Attributes; readonly operands: VisibilityOperands } {
  const check = (name: string, tensor: Tensor | undefined, ...allowed: ReadonlyArray<ReadonlyArray<number>>): void => {
    if (tensor === undefined) return
    const { dtype, shape } = tensor
    const fits = allowed.some((wanted) =>
      wanted.length === shape.length &&
      wanted.every((extent, axis) => shape[axis] === extent || axis === 0 && shape[0] === 1)
    )
    if (dtype === "i32" && fits) return
    throw new ShapeError({
      message: `${name} of attention is i32${allowed.map(show).join(" or ")} (the first extent may be 1), got ${dtype}${
        show(shape)
      }`,
    })
  }
  if (!Number.isSafeInteger(prefix) || prefix < 0 || prefix > keys) {
    throw new ShapeError({ message: `prefix of attention is a whole number from 0 to its ${keys} keys, got ${prefix}` })
  }
  if (window !== undefined && (!Number.isSafeInteger(window) || window < 1)) {
    throw new ShapeError({ message: `window of attention is a whole number from 1, got ${window}` })
  }
  check("queryStart", queryStart, [batch], [batch, queries])
  check("keyLengths", keyLengths, [batch])
  check("segments", segments, [batch, keys - prefix])
  const positions = () => {
    const steps = iota([1, queries], 1)
    if (queryStart === undefined) return steps
    return queryStart.shape.length === 2 ? queryStart : add(reshape(queryStart, [-1, 1]), steps)
  }
  return {
    attributes: { causal, prefix, ...(window === undefined ? {} : { window: Math.min(window, 2 ** 30) }) },
    operands: {
      ...(causal || window !== undefined || segments !== undefined ? { queryPositions: positions() } : {}),
      ...(keyLengths === undefined ? {} : { keyLengths }),
      ...(segments === undefined ? {} : { segments }),
      ...(pages === undefined ? {} : { pages }),
    },
  }
}

/** The same as a matrix, for the decomposition: f32 [B or 1, T or 1, S or 1]. */
export function visibleMatrix(
  { queryPositions, keyLengths, segments }: VisibilityOperands,
  { causal, window, prefix }: Attributes,
  keys: number,
): Tensor {
  const before = prefix as number
  const j = sub(iota([1, 1, keys], 2), before)
  const p = queryPositions === undefined ? undefined : reshape(queryPositions, [...queryPositions.shape, 1])
  const conditions: Array<Tensor> = []
  if (causal) conditions.push(lessEqual(j, p!))
  if (window !== undefined) conditions.push(less(sub(p!, j), window as number))
  if (window !== undefined && !causal) conditions.push(less(sub(j, p!), window as number))
  if (keyLengths !== undefined) conditions.push(less(j, reshape(keyLengths, [-1, 1, 1])))
  if (segments !== undefined) {
    const [rows, length] = segments.shape
    const ofKeys = reshape(pad(toFloat(segments), [0, before], [0, 0]), [rows, 1, keys])
    const at = max(min(p!, length - 1), 0)
    const ofQueries = sum(where(equal(iota([1, 1, length], 2), at), narrow(ofKeys, 2, before, keys), 0), [2], {
      keepDims: true,
    })
    conditions.push(equal(ofQueries, ofKeys))
  }
  if (conditions.length === 0) return full(1, [1, 1, 1])
  const seen = conditions.reduce((a, b) => mul(a, b))
  return before === 0 ? seen : max(seen, less(j, 0))
}
