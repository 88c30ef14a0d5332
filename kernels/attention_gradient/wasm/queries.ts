/**
 * The queries' part in a block of the derivative of attention in WebAssembly: weights, derivatives of the scores, and dq.
 * @module
 */
import {
  byHeight,
  bytesAlong,
  eachStrip,
  integers,
  lesser,
  padded,
  RANGE_BYTES,
  spreadFactor,
  zeroRows,
} from "../../attention/wasm/parts.ts"
import { rowsTimesPanels, STRIP, tilesTimesPanels } from "../../attention/wasm/products.ts"
import { ROWS } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import { STRIP_COLUMNS } from "../../matmul/wasm/strip_kernel.ts"
import { call as callFunction, type Code, get, i32, increase, set, when } from "../../wasm/assembler.ts"
import { type Block, eachRange } from "./block_parts.ts"
import { rowFunction } from "./row.ts"
import { needsScores } from "./shape.ts"

/** Panel by panel: all that one needs at once, while its rows are at hand. */
export const narrowQueries = (block: Block): Code => eachPanel(block, (height, panel) => rowsOf(block, height, panel))

/** In wide vectors: whole panels meet a strip of keys or values together. */
export const wideQueries = (block: Block): Code => {
  const { context: { module, target }, f, shape, keys, lies, within, at, firstPanel, lastPanel, start } = block
  const [wholePanels, firstDq] = integers(f, 2)
  const dqStride = bytesAlong(shape.dq, 3)
  const seenByWhole = { table: within(lies.ranges), count: get(wholePanels) }
  const rowsFrom = (first: Code, panel: number, stride: number): Code =>
    i32.add(first, scaled(get(panel), ROWS * stride))
  return [
    set(wholePanels, i32.sub(lesser(get(lastPanel), i32.const(shape.full)), get(firstPanel))),
    scoreProducts(block).map(({ from, stride, panels, terms, to }) =>
      eachStrip(f, STRIP_COLUMNS, padded(keys), seenByWhole, (key, count, panel, tiles) =>
        callFunction(
          tilesTimesPanels(module, target, { layout: "depth", aStride: stride, outputStride: lies.rowBytes, tail: 0 }),
          rowsFrom(get(from), panel, stride),
          tiles,
          i32.add(within(panels), scaled(key, 4 * terms)),
          i32.const(32 * terms),
          i32.const(terms),
          count,
          i32.add(rowsFrom(within(lies[to]), panel, lies.rowBytes), scaled(key, 4)),
          i32.const(0),
        ))
    ),
    set(firstDq, get(at.dq)),
    eachPanel(block, (height, panel) =>
      height < ROWS ? rowsOf(block, height, panel) : [
        weigh(block, height, panel),
        shape.dq === undefined
          ? []
          : when(i32.eqz(get(start)), zeroRows(f, get(at.dq), i32.const(ROWS), shape.width, dqStride)),
      ]),
    shape.dq === undefined ? [] : eachStrip(f, STRIP, keys, seenByWhole, (key, count, panel, tiles) =>
      callFunction(
        tilesTimesPanels(module, target, dqProduct(block)),
        i32.add(rowsFrom(within(lies.scores), panel, lies.rowBytes), scaled(key, 4)),
        tiles,
        i32.add(within(lies.keyColumns), scaled(key, 32)),
        i32.const(32 * keys),
        count,
        i32.const(shape.width),
        rowsFrom(get(firstDq), panel, dqStride),
        i32.const(1),
      )),
  ]
}

/** Locals of a panel of queries. */
interface Panel {
  /** What it sees of the chunk. */
  readonly first: number
  readonly end: number
  /** Addresses of its rows. */
  readonly weights: number
  readonly scores: number
}

/** For each panel of the block, whose addresses then move on to the next. */
const eachPanel = (block: Block, body: (height: number, panel: Panel) => Code): Code => {
  const { f, shape, lies, within, at } = block
  const [first, end, weights, scores] = integers(f, 4)
  return [
    set(weights, within(lies.weights)),
    set(scores, within(lies.scores)),
    eachRange(block, (range, panel) =>
      byHeight(shape, get(panel), (height) => [
        [first, end].map((local, i) => set(local, i32.load(get(range), 4 * i))),
        body(height, { first, end, weights, scores }),
        increase(at.q, height * bytesAlong(shape.q, 3)),
        increase(at.bounds, height * RANGE_BYTES),
        increase(at.bias, height * bytesAlong(shape.bias, 3)),
        increase(at.factor, height * bytesAlong(shape.factor, 3)),
        increase(at.logSum, height * bytesAlong(shape.logSum, 3)),
        increase(at.cotangent, height * bytesAlong(shape.cotangent, 3)),
        increase(at.delta, height * bytesAlong(shape.delta, 3)),
        increase(at.dq, height * bytesAlong(shape.dq, 3)),
        increase(weights, height * lies.rowBytes),
        increase(scores, height * lies.rowBytes),
      ])),
  ]
}

/** Weights, derivatives of the scores and dq of one panel. */
const rowsOf = (block: Block, height: number, panel: Panel): Code => {
  const { context: { module, target }, shape, keys, lies, within, at, start } = block
  const { first, end, scores } = panel
  return [
    scoreProducts(block).map(({ from, stride, panels, terms, to }) =>
      callFunction(
        rowsTimesPanels(module, target, {
          layout: "depth",
          rows: height,
          aStride: stride,
          outputStride: lies.rowBytes,
          tail: 0,
        }),
        get(from),
        i32.add(within(panels), scaled(get(first), 4 * terms)),
        i32.const(32 * terms),
        i32.const(terms),
        i32.sub(get(end), get(first)),
        i32.add(get(panel[to]), scaled(get(first), 4)),
        i32.const(0),
      )
    ),
    weigh(block, height, panel),
    shape.dq === undefined ? [] : callFunction(
      rowsTimesPanels(module, target, { ...dqProduct(block), rows: height }),
      i32.add(get(scores), scaled(get(first), 4)),
      i32.add(within(lies.keyColumns), scaled(get(first), 32)),
      i32.const(32 * keys),
      i32.sub(lesser(get(end), i32.const(keys)), get(first)),
      i32.const(shape.width),
      get(at.dq),
      get(start),
    ),
  ]
}

/** Raw scores, in the place of the weights, and derivatives with respect to the weights, in that of the scores. */
const scoreProducts = ({ shape, lies, at }: Block) => {
  const { q, cotangent, width, valueWidth } = shape
  const raw = { from: at.q, stride: bytesAlong(q, 3), panels: lies.keyPanels, terms: width, to: "weights" } as const
  if (!needsScores(shape)) return [raw]
  const stride = bytesAlong(cotangent, 3)
  return [raw, { from: at.cotangent, stride, panels: lies.valuePanels, terms: valueWidth, to: "scores" } as const]
}

/** How derivatives of the scores times keys lie, which gives dq. */
const dqProduct = ({ shape, lies }: Block) => {
  const outputStride = bytesAlong(shape.dq, 3)
  return { layout: "depth", aStride: lies.rowBytes, outputStride, tail: shape.width % 8 } as const
}

/** Rows of {@link scoreProducts} become weights and derivatives of the scores. */
const weigh = ({ context, shape, keys, lies, within, at, start }: Block, height: number, panel: Panel): Code => {
  const { first, end, weights, scores } = panel
  const { period } = shape
  const fromStart = (key: number): Code => i32.add(get(start), get(key))
  return Array.from({ length: height }, (_, r) => {
    const factor = i32.add(get(at.factor), i32.const(r * bytesAlong(shape.factor, 3)))
    const spread: Code = period === 0 ? [] : callFunction(
      spreadFactor(context.module, period),
      i32.add(within(lies.factors), scaled(get(first), 4)),
      factor,
      fromStart(first),
      fromStart(end),
    )
    const row = callFunction(
      rowFunction(context, shape, keys),
      i32.add(get(weights), i32.const(r * lies.rowBytes)),
      i32.add(get(scores), i32.const(r * lies.rowBytes)),
      i32.add(get(at.bounds), i32.const(r * RANGE_BYTES)),
      i32.add(get(at.bias), i32.const(r * bytesAlong(shape.bias, 3))),
      period === 0 ? factor : within(lies.factors),
      i32.add(get(at.logSum), i32.const(r * bytesAlong(shape.logSum, 3))),
      i32.add(get(at.delta), i32.const(r * bytesAlong(shape.delta, 3))),
      get(first),
      get(end),
      get(start),
    )
    return [spread, row]
  })
}
