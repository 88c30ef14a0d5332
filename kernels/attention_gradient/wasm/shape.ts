/**
 * How the derivative of attention in WebAssembly is cut, and where its threads keep what they need.
 * @module
 */
import { apartOf } from "../../attention/apart.ts"
import { periodOf } from "../../attention/call.ts"
import { headOf } from "../../attention/wasm/ranges.ts"
import { padded, panelsOf, RANGE_BYTES, type Sizes } from "../../attention/wasm/parts.ts"
import type { View } from "../../contract.ts"
import type { AttentionGradientCall } from "../call.ts"
import { ROWS } from "../../matmul/wasm/micro_kernel.ts"
import type { Target } from "../../wasm/assembler.ts"

/** With fewer pairs of keys and values than this, their queries are shared out. */
const UNITS = 16
/** Most keys of a chunk, a multiple of 6 and of 8; most panels of queries in a block: their weights stay in the
 * second-level cache. */
const KEYS = 264, BLOCK = 11
/** The same in wide vectors, a multiple of 6 and of 16. */
const WIDE_KEYS = 288, WIDE_BLOCK = 16

/** In elements, by axis. */
export type Strides = ReadonlyArray<number>
/** A call as numbers: strides in elements, no buffers. */
export interface Shape extends Sizes {
  /** Whether in wide vectors, and most panels of queries that are worked on together. */
  readonly wide: boolean
  readonly block: number
  /** Keys of a chunk, of the last one, and number of chunks. */
  readonly chunk: number
  readonly lastChunk: number
  readonly chunks: number
  /** Members of a unit's group and panels of its queries. */
  readonly members: number
  readonly run: number
  /** Units with the same keys and values; with more than one, dk and dv are partial sums. */
  readonly pieces: number
  readonly q: Strides
  readonly k: Strides
  readonly v: Strides
  /** Keys that queries see apart from their ranges, and those that panels meet so. */
  readonly apart: number
  readonly head: number
  readonly bias: Strides | undefined
  readonly factor: Strides | undefined
  readonly logSum: Strides
  readonly cotangent: Strides
  readonly delta: Strides
  readonly dq: Strides | undefined
  readonly dk: Strides | undefined
  readonly dv: Strides | undefined
}

/** Whether derivatives of the scores are asked for, which dq and dk come of. */
export const needsScores = ({ dq, dk }: Shape): boolean => dq !== undefined || dk !== undefined

/** A call as numbers. */
export const shapeOf = (call: AttentionGradientCall, target: Target): Shape => {
  const [batch, shared, group, queries, width] = call.q.shape
  const keys = call.k.shape[2], valueWidth = call.v.shape[3]
  const panels = panelsOf(queries)
  const wide = target.wide === true && panels.rows === ROWS
  const block = wide ? WIDE_BLOCK : BLOCK
  const chunks = Math.max(1, Math.ceil(keys / (wide ? WIDE_KEYS : KEYS)))
  const chunk = chunks === 1 ? keys : wide ? Math.ceil(keys / chunks / 48) * 48 : Math.ceil(keys / chunks / 24) * 24
  const pairs = batch * shared
  const whole = pairs >= UNITS
  // Without regard to `block`: how dk and dv are summed must not depend on the vectors.
  const runs = whole ? 1 : Math.min(Math.ceil(panels.count / BLOCK), Math.ceil(UNITS / (pairs * group)))
  const run = Math.ceil(panels.count / runs)
  const pieces = whole ? 1 : group * Math.ceil(panels.count / run)
  const partial = (view: View | undefined, width: number): Strides | undefined =>
    view === undefined || pieces === 1 ? view?.strides : [0, 0, width, 1]
  return {
    ...panels,
    wide,
    block,
    batch,
    shared,
    group,
    keys,
    width,
    valueWidth,
    scale: call.scale,
    period: periodOf(call),
    chunk,
    chunks,
    lastChunk: keys - (chunks - 1) * chunk,
    members: pieces === 1 ? group : 1,
    run,
    pieces,
    q: call.q.strides,
    k: call.k.strides,
    v: call.v.strides,
    apart: apartOf(call),
    head: headOf(call, keys),
    bias: call.bias?.strides,
    factor: call.factor?.strides,
    logSum: call.logSum.strides,
    cotangent: call.cotangent.strides,
    delta: call.delta.strides,
    dq: call.dq?.strides,
    dk: partial(call.dk, width),
    dv: partial(call.dv, valueWidth),
  }
}

/** Where things lie in a thread's scratch, in bytes. */
export const scratchOf = ({ chunk, width, valueWidth, rows, count, block, period }: Shape) => {
  const queries = rows * Math.min(count, block)
  // A cache line more than the keys: rows must not fall on the same lines.
  const rowBytes = 4 * padded(chunk) + 64
  const sizes = {
    /** Panels of eight keys, of values; of eight columns of keys. */
    keyPanels: 4 * padded(chunk) * width,
    valuePanels: 4 * padded(chunk) * valueWidth,
    keyColumns: 4 * chunk * padded(width),
    /** Panels of eight columns of a block's queries and cotangents. */
    queryColumns: 4 * queries * padded(width),
    cotangentColumns: 4 * queries * padded(valueWidth),
    weights: queries * rowBytes,
    scores: queries * rowBytes,
    /** What each panel of queries sees of the keys of a chunk, from its first one on. */
    ranges: RANGE_BYTES * block,
    /** A row of a factor that repeats. */
    factors: period > 0 ? rowBytes : 0,
  }
  let bytes = 0
  const places = Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => {
      const place = bytes
      bytes += Math.ceil(size / 64) * 64
      return [name, place]
    }),
  ) as Record<keyof typeof sizes, number>
  return { ...places, rowBytes, bytes }
}
