/**
 * How attention in WebAssembly is cut, and where its threads keep what they need.
 * @module
 */
import { type AttentionCall, keysOf, periodOf } from "../call.ts"
import { ROWS } from "../../matmul/wasm/micro_kernel.ts"
import type { Target } from "../../wasm/assembler.ts"
import { apartOf } from "../apart.ts"
import { headOf } from "./ranges.ts"
import { padded, panelsOf, type Sizes } from "./parts.ts"

/** With so many panels of queries in all, keys and values are not worth packing. */
const FEW_PANELS = 2
/** Most panels that are worked on together, in wide vectors; their scores, so many bytes, stay in the second-level cache. */
const BLOCK = 16, BLOCK_BYTES = 1 << 18
/** Heads are cut into runs of panels until there are so many units, to occupy many threads. */
const UNITS = 32

/** A call as numbers: strides in elements, no buffers. */
export interface Shape extends Sizes {
  /** Whether keys and values are packed. */
  readonly packs: boolean
  /** Panels of a unit, and units of a head. */
  readonly run: number
  readonly runs: number
  /** Most panels that are worked on together. */
  readonly block: number
  /** Bytes of a row of scores. */
  readonly rowBytes: number
  readonly q: ReadonlyArray<number>
  readonly k: ReadonlyArray<number>
  readonly v: ReadonlyArray<number>
  /** Strides of the table of pages, and keys of a page. */
  readonly pages: ReadonlyArray<number> | undefined
  readonly pageKeys: number
  /** Keys that queries see apart from their ranges, and those that panels meet so. */
  readonly apart: number
  readonly head: number
  readonly bias: ReadonlyArray<number> | undefined
  readonly factor: ReadonlyArray<number> | undefined
  readonly output: ReadonlyArray<number>
  readonly logSum: ReadonlyArray<number> | undefined
}

/** A call as numbers. */
export const shapeOf = (call: AttentionCall, target: Target): Shape => {
  const { q, k, v, pages, bias, factor, output, logSum, scale } = call
  const [batch, shared, group, queries, width] = q.shape
  const panels = panelsOf(queries)
  const heads = batch * shared * group
  const run = Math.max(1, Math.ceil(panels.count / Math.ceil(UNITS / Math.max(1, heads))))
  const keys = keysOf(call)
  // In place, values are walked by their address.
  const packs = group * panels.count > FEW_PANELS || v.strides[2] <= 0
  // A cache line more than the keys: rows must not fall on the same lines.
  const rowBytes = 4 * padded(keys) + 64
  const head = headOf(call, keys)
  // Of a row of scores only what is seen is touched.
  const touched = Math.min(rowBytes, 4 * (head + 2 * (call.window ?? keys)))
  const most = Math.max(1, Math.min(BLOCK, run, Math.floor(BLOCK_BYTES / (ROWS * touched))))
  return {
    ...panels,
    batch,
    shared,
    group,
    keys,
    width,
    valueWidth: v.shape[3],
    scale,
    period: periodOf(call),
    packs,
    run,
    runs: Math.ceil(panels.count / run),
    block: target.wide === true && packs && panels.rows === ROWS ? most : 1,
    rowBytes,
    q: q.strides,
    k: k.strides,
    v: v.strides,
    pages: pages?.strides,
    pageKeys: k.shape[2],
    apart: apartOf(call),
    head,
    bias: bias?.strides,
    factor: factor?.strides,
    output: output.strides,
    logSum: logSum?.strides,
  }
}

/** What a panel keeps of the sums of its rows: their greatest scores, then their sums. */
export const STATS_BYTES = 64

/** Where things lie in a thread's scratch, in bytes. */
export const scratchOf = ({ keys, width, valueWidth, period, packs, block, rowBytes }: Shape) => {
  const k = 0
  const v = k + (packs ? 4 * padded(keys) * width : 0)
  const scores = v + (packs ? 4 * keys * padded(valueWidth) : 0)
  const stats = scores + block * ROWS * rowBytes
  const factors = stats + block * STATS_BYTES
  return { k, v, scores, stats, factors, bytes: factors + (period > 0 ? rowBytes : 0) }
}
