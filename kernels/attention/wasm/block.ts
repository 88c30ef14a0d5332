/**
 * Attention in WebAssembly for some panels of queries.
 * @module
 */
import { HIDDEN, NOTHING } from "../../../core/tensor/composites/attention.ts"
import { keyOf } from "../../collapse.ts"
import { COLUMNS, ROWS, vectorsOf } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import { STRIP_COLUMNS } from "../../matmul/wasm/strip_kernel.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  set,
  v128,
} from "../../wasm/assembler.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { loadLanes, storeLanes } from "../../wasm/lanes.ts"
import { vectorUnary } from "../../wasm/vector_math.ts"
import {
  bytesAlong,
  eachPage,
  eachStrip,
  integers,
  lesser,
  padded,
  RANGE_BYTES,
  spreadFactor,
  zeroRows,
} from "./parts.ts"
import { rowsTimesKeys, rowsTimesPanels, STRIP, tilesTimesPanels } from "./products.ts"
import { scratchOf, type Shape, STATS_BYTES } from "./shape.ts"
import { softmaxRow } from "./softmax.ts"

/** Parameters of a block: addresses at its first query, or of keys, values and pages of its entry. */
export const BLOCK_PARAMETERS = ["q", "k", "v", "pages", "bounds", "bias", "factor", "output", "logSum"] as const
/** Locals with them. */
export type Addresses = Readonly<Record<typeof BLOCK_PARAMETERS[number], number>>

/** Some panels of queries while the function for them is written. Names of numbers are locals. */
interface Block {
  readonly context: KernelContext
  readonly f: FunctionScope
  readonly shape: Shape
  /** Queries of a panel. */
  readonly rows: number
  readonly lies: ReturnType<typeof scratchOf>
  readonly within: (bytes: number) => Code
  readonly at: Addresses
  /** Address of the panels' ranges, and how many panels there are. */
  readonly seen: { readonly table: Code; readonly count: Code; readonly head: number }
  /** The panel at hand; the first key that it sees, the one behind the last, and the same of those that there are. */
  readonly panel: number
  readonly first: number
  readonly end: number
  readonly last: number
  /** Address of the panel's sums. */
  readonly stats: number
  /** Whether panels meet a strip of keys or values together, in wide vectors. */
  readonly together: boolean
}

/**
 * Index of the function `(scratch, ranges, panels, ...BLOCK_PARAMETERS)`, all i32: so many panels of `rows` queries, one
 * or, in wide vectors, as many as a block has.
 */
export const blockFunction = (context: KernelContext, shape: Shape, rows: number): number =>
  context.module.once(
    keyOf(["attention_block", shape, rows, context.target]),
    () =>
      context.module.func(
        "attention_block",
        new Array(3 + BLOCK_PARAMETERS.length).fill("i32"),
        [],
        (f, scratch, ranges, panels, ...given) => {
          const [first, end, last, stats, panel] = integers(f, 5)
          const within = (bytes: number): Code => i32.add(get(scratch), i32.const(bytes))
          const at = Object.fromEntries(BLOCK_PARAMETERS.map((name, i) => [name, given[i]])) as Addresses
          const seen = { table: get(ranges), count: get(panels), head: shape.head }
          const lies = scratchOf(shape), together = shape.block > 1 && rows === ROWS
          const locals = { at, seen, panel, first, end, last, stats }
          const block: Block = { context, f, shape, rows, lies, within, ...locals, together }
          const eachPanel = (body: Code): Code =>
            together ? forRange(panel, i32.const(0), get(panels), 1, body) : [set(panel, i32.const(0)), body]
          const entry = i32.add(get(ranges), scaled(get(panel), RANGE_BYTES))
          const range: Code = [
            [first, end].map((local, i) => set(local, i32.load(entry, 4 * i))),
            // Of the panel of the last keys, those that there are.
            set(last, lesser(get(end), i32.const(shape.keys))),
          ]
          return together
            ? [wideScores(block), eachPanel([range, weights(block)]), wideValues(block), eachPanel(divide(block))]
            : eachPanel([range, narrowScores(block), weights(block), narrowValues(block), divide(block)])
        },
      ),
  )

/** What a panel sees: keys from <= key < to, and up to the last that there is. The head's are apart. */
const spansOf = ({ shape: { head }, first, end, last }: Block) => {
  const range = { from: get(first), to: get(end), last: get(last) }
  return head === 0 ? [range] : [{ from: i32.const(0), to: i32.const(head), last: i32.const(head) }, range]
}

const scoresOf = ({ within, lies, shape }: Block, panel: number): Code =>
  i32.add(within(lies.scores), scaled(get(panel), ROWS * shape.rowBytes))
const rowsOf = (start: number, panel: number, stride: number): Code =>
  i32.add(get(start), scaled(get(panel), ROWS * stride))

const scoreProduct = ({ q, rowBytes }: Shape) =>
  ({ layout: "depth", aStride: 4 * q[3], outputStride: rowBytes, tail: 0 }) as const
const valueProduct = ({ output, rowBytes, valueWidth }: Shape) =>
  ({ layout: "depth", aStride: rowBytes, outputStride: 4 * output[3], tail: valueWidth % 8 }) as const

const wideScores = (block: Block): Code => {
  const { context: { module, target }, f, shape, within, lies, at, seen } = block
  return eachStrip(f, STRIP_COLUMNS, padded(shape.keys), seen, (key, count, panel, panels) =>
    callFunction(
      tilesTimesPanels(module, target, scoreProduct(shape)),
      rowsOf(at.q, panel, 4 * shape.q[3]),
      panels,
      i32.add(within(lies.k), scaled(key, 4 * shape.width)),
      i32.const(32 * shape.width),
      i32.const(shape.width),
      count,
      i32.add(scoresOf(block, panel), scaled(key, 4)),
      i32.const(0),
    ))
}

const narrowScores = (block: Block): Code => {
  const { context: { module, target }, f, shape, rows, within, lies, at } = block
  const { width, rowBytes } = shape
  const scoreAt = (key: Code): Code => i32.add(within(lies.scores), scaled(key, 4))
  const strides = [4 * shape.q[3], 4 * shape.k[2], rowBytes] as const
  return spansOf(block).map(({ from, to, last }) =>
    shape.packs
      ? callFunction(
        rowsTimesPanels(module, target, { ...scoreProduct(shape), rows }),
        get(at.q),
        i32.add(within(lies.k), scaled(from, 4 * width)),
        i32.const(32 * width),
        i32.const(width),
        i32.sub(to, from),
        scoreAt(from),
        i32.const(0),
      )
      : eachPage(f, shape, at, [from, last], (key, count, place) =>
        callFunction(
          rowsTimesKeys(module, target, { rows, width, strides, tail: shape.keys % 4 }),
          get(at.q),
          place.k,
          count,
          scoreAt(get(key)),
        ))
  )
}

/** Scores become weights, row by row. */
const weights = (block: Block): Code => {
  const { context, f, shape, rows, within, lies, at, panel, first, end, stats, together } = block
  const { period } = shape
  const [row, key] = integers(f, 2)
  const zeros = (from: Code, to: Code): Code =>
    forRange(
      key,
      from,
      to,
      COLUMNS,
      [0, 16].map((place) => v128.store(i32.add(get(row), scaled(get(key), 4)), f32x4.const(0), place)),
    )
  const stripEnd = i32.and(i32.add(get(end), i32.const(STRIP - 1)), i32.const(-STRIP))
  const one: Code = [
    period === 0 ? [] : spansOf(block).map(({ from, to }) =>
      callFunction(
        spreadFactor(context.module, period),
        i32.add(within(lies.factors), scaled(from, 4)),
        get(at.factor),
        from,
        to,
      )
    ),
    callFunction(
      softmaxRow(context, shape),
      get(row),
      get(at.bias),
      period === 0 ? get(at.factor) : within(lies.factors),
      ...[first, end, at.bounds, stats].map(get),
    ),
    // Strips of values begin where they begin.
    together
      ? [
        zeros(i32.and(get(first), i32.const(-STRIP)), get(first)),
        zeros(get(end), lesser(stripEnd, i32.const(padded(shape.keys)))),
      ]
      : [],
    increase(row, shape.rowBytes),
    increase(at.bounds, RANGE_BYTES),
    increase(at.bias, bytesAlong(shape.bias, 3)),
    increase(at.factor, bytesAlong(shape.factor, 3)),
    increase(stats, 4),
  ]
  return [
    set(row, scoresOf(block, panel)),
    set(stats, i32.add(within(lies.stats), scaled(get(panel), STATS_BYTES))),
    Array.from({ length: rows }, () => one),
  ]
}

const wideValues = (block: Block): Code => {
  const { context: { module, target }, f, shape, within, lies, at, seen } = block
  const outputStride = 4 * shape.output[3]
  return [
    zeroRows(f, get(at.output), scaled(seen.count, ROWS), shape.valueWidth, outputStride),
    eachStrip(f, STRIP, shape.keys, seen, (key, count, panel, panels) =>
      callFunction(
        tilesTimesPanels(module, target, valueProduct(shape)),
        i32.add(scoresOf(block, panel), scaled(key, 4)),
        panels,
        i32.add(within(lies.v), scaled(key, 32)),
        i32.const(32 * shape.keys),
        count,
        i32.const(shape.valueWidth),
        rowsOf(at.output, panel, outputStride),
        i32.const(1),
      )),
  ]
}

const narrowValues = (block: Block): Code => {
  const { context: { module, target }, f, shape, rows, within, lies, at } = block
  const product = { ...valueProduct(shape), rows }
  const times = (bStride: number | undefined, key: Code, count: Code, value: Code, more: Code): Code =>
    callFunction(
      rowsTimesPanels(module, target, bStride === undefined ? product : { ...product, bStride }),
      i32.add(within(lies.scores), scaled(key, 4)),
      value,
      i32.const(bStride === undefined ? 32 * shape.keys : 32),
      count,
      i32.const(shape.valueWidth),
      get(at.output),
      more,
    )
  return spansOf(block).map(({ from, last }, i) =>
    shape.packs
      ? times(undefined, from, i32.sub(last, from), i32.add(within(lies.v), scaled(from, 32)), i32.const(i))
      : eachPage(
        f,
        shape,
        at,
        [from, last],
        (key, count, place) =>
          times(4 * shape.v[2], get(key), count, place.v, i === 0 ? i32.ne(get(key), from) : i32.const(1)),
      )
  )
}

/** Divides a panel's values by the sums of their weights, and stores the logarithms of these. */
const divide = ({ context: { module, target }, f, shape, rows, within, lies, at, panel, stats }: Block): Code => {
  const { logSum, valueWidth } = shape
  const [place] = integers(f, 1)
  const [top, sum, blind] = [f.local("v128"), f.local("v128"), f.local("v128")]
  const number = (value: number): Code => module.pooled(f32x4.const(value))
  const logarithm = (): Code =>
    f32x4.add(f32x4.mul(get(top), number(Math.LN2)), vectorUnary(module, target, f, "log", "f32", get(sum)))
  return [
    set(stats, i32.add(within(lies.stats), scaled(get(panel), STATS_BYTES))),
    vectorsOf(rows).map(({ at: r, lanes }): Code => [
      set(top, v128.load(get(stats), 4 * r)),
      set(sum, v128.load(get(stats), 4 * r + 32)),
      set(blind, f32x4.le(get(top), number(HIDDEN))),
      v128.store(get(stats), v128.andnot(f32x4.div(number(1), get(sum)), get(blind)), 4 * r),
      logSum === undefined ? [] : [
        set(top, v128.bitselect(number(NOTHING), logarithm(), get(blind))),
        storeLanes(get(at.logSum), logSum[3], lanes, r * logSum[3], get(top)),
      ],
    ]),
    increase(at.logSum, rows * bytesAlong(logSum, 3)),
    Array.from({ length: rows }, (_, r) => [
      set(sum, v128.load32Splat(get(stats), 4 * r)),
      forVectors(place, at.output, valueWidth, (lanes): Code => [
        set(top, f32x4.mul(loadLanes(get(place), 1, lanes, 0), get(sum))),
        storeLanes(get(place), 1, lanes, 0, get(top)),
      ]),
      increase(at.output, 4 * shape.output[3]),
    ]),
  ]
}

/** Walks `count` neighbours from the address in `start` on; `at` holds the address of each vector. */
const forVectors = (at: number, start: number, count: number, body: (lanes: number) => Code): Code => {
  const whole = count - count % 4
  return [
    set(at, get(start)),
    whole === 0 ? [] : forRange(at, get(start), i32.add(get(start), i32.const(4 * whole)), 16, body(4)),
    count === whole ? [] : body(count - whole),
  ]
}
