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

/**
 * Index of the function `(scratch, ranges, panels, q, k, v, pages, bounds, bias, factor, output, logSum)`, all i32: so many panels of
 * `rows` queries, one or, in wide vectors, as many as a block has.
 */
export const blockFunction = (context: KernelContext, shape: Shape, rows: number): number => {
  const { module, target } = context
  const { keys, width, valueWidth, rowBytes, block, period } = shape
  const lies = scratchOf(shape)
  const together = block > 1 && rows === ROWS
  return module.once(
    keyOf(["attention_block", shape, rows, target]),
    () =>
      module.func(
        "attention_block",
        new Array(12).fill("i32"),
        [],
        (f, scratch, ranges, panels, q, k, v, pages, bounds, bias, factor, output, logSum) => {
          const [first, end, last, row, stats, panel, key] = integers(f, 7)
          const [top, sum, blind] = [f.local("v128"), f.local("v128"), f.local("v128")]
          const within = (bytes: number): Code => i32.add(get(scratch), i32.const(bytes))
          const number = (value: number): Code => module.pooled(f32x4.const(value))
          const softmax = softmaxRow(context, shape)
          const eachRow = (body: (r: number) => Code): Code => Array.from({ length: rows }, (_, r) => body(r))
          const eachPanel = (body: Code): Code =>
            together ? forRange(panel, i32.const(0), get(panels), 1, body) : [set(panel, i32.const(0)), body]
          const entry = i32.add(get(ranges), scaled(get(panel), RANGE_BYTES))
          const seen = { table: get(ranges), count: get(panels) }
          const rowsOf = (start: number, panel: number, stride: number): Code =>
            i32.add(get(start), scaled(get(panel), ROWS * stride))
          const scoresOf = (panel: number): Code => i32.add(within(lies.scores), scaled(get(panel), ROWS * rowBytes))

          const products = { layout: "depth", aStride: 4 * shape.q[3], outputStride: rowBytes, tail: 0 } as const
          const allScores = (): Code =>
            eachStrip(f, STRIP_COLUMNS, padded(keys), seen, (key, count, panel, panels) =>
              callFunction(
                tilesTimesPanels(module, target, products),
                rowsOf(q, panel, 4 * shape.q[3]),
                panels,
                i32.add(within(lies.k), scaled(key, 4 * width)),
                i32.const(32 * width),
                i32.const(width),
                count,
                i32.add(scoresOf(panel), scaled(key, 4)),
                i32.const(0),
              ))
          const scores = (): Code =>
            shape.packs
              ? callFunction(
                rowsTimesPanels(module, target, { ...products, rows }),
                get(q),
                i32.add(within(lies.k), scaled(get(first), 4 * width)),
                i32.const(32 * width),
                i32.const(width),
                i32.sub(get(end), get(first)),
                i32.add(within(lies.scores), scaled(get(first), 4)),
                i32.const(0),
              )
              : eachPage(f, shape, { k, v, pages }, [get(first), get(last)], (key, count, at) =>
                callFunction(
                  rowsTimesKeys(module, target, {
                    rows,
                    width,
                    strides: [4 * shape.q[3], 4 * shape.k[2], rowBytes],
                    tail: keys % 4,
                  }),
                  get(q),
                  at.k,
                  count,
                  i32.add(within(lies.scores), scaled(get(key), 4)),
                ))
          const zeros = (from: Code, to: Code): Code =>
            forRange(
              key,
              from,
              to,
              COLUMNS,
              [0, 16].map((place) => v128.store(i32.add(get(row), scaled(get(key), 4)), f32x4.const(0), place)),
            )
          const weights: Code = [
            set(row, scoresOf(panel)),
            set(stats, i32.add(within(lies.stats), scaled(get(panel), STATS_BYTES))),
            eachRow(() => [
              period === 0 ? [] : callFunction(
                spreadFactor(module, period),
                i32.add(within(lies.factors), scaled(get(first), 4)),
                get(factor),
                get(first),
                get(end),
              ),
              callFunction(
                softmax,
                get(row),
                get(bias),
                period === 0 ? get(factor) : within(lies.factors),
                ...[first, end, bounds, stats].map(get),
              ),
              // Strips of values begin where they begin.
              together
                ? [
                  zeros(i32.and(get(first), i32.const(-STRIP)), get(first)),
                  zeros(
                    get(end),
                    lesser(
                      i32.and(i32.add(get(end), i32.const(STRIP - 1)), i32.const(-STRIP)),
                      i32.const(padded(keys)),
                    ),
                  ),
                ]
                : [],
              increase(row, rowBytes),
              increase(bounds, RANGE_BYTES),
              increase(bias, bytesAlong(shape.bias, 3)),
              increase(factor, bytesAlong(shape.factor, 3)),
              increase(stats, 4),
            ]),
          ]

          const sums = {
            layout: "depth",
            aStride: rowBytes,
            outputStride: 4 * shape.output[3],
            tail: valueWidth % 8,
          } as const
          const allValues = (): Code => [
            zeroRows(f, get(output), scaled(get(panels), ROWS), valueWidth, 4 * shape.output[3]),
            eachStrip(f, STRIP, keys, seen, (key, count, panel, panels) =>
              callFunction(
                tilesTimesPanels(module, target, sums),
                i32.add(scoresOf(panel), scaled(key, 4)),
                panels,
                i32.add(within(lies.v), scaled(key, 32)),
                i32.const(32 * keys),
                count,
                i32.const(valueWidth),
                rowsOf(output, panel, 4 * shape.output[3]),
                i32.const(1),
              )),
          ]
          const values = (): Code =>
            shape.packs
              ? callFunction(
                rowsTimesPanels(module, target, { ...sums, rows }),
                i32.add(within(lies.scores), scaled(get(first), 4)),
                i32.add(within(lies.v), scaled(get(first), 32)),
                i32.const(32 * keys),
                i32.sub(get(last), get(first)),
                i32.const(valueWidth),
                get(output),
                i32.const(0),
              )
              : eachPage(f, shape, { k, v, pages }, [get(first), get(last)], (key, count, at) =>
                callFunction(
                  rowsTimesPanels(module, target, { ...sums, rows, bStride: 4 * shape.v[2] }),
                  i32.add(within(lies.scores), scaled(get(key), 4)),
                  at.v,
                  i32.const(32),
                  count,
                  i32.const(valueWidth),
                  get(output),
                  i32.ne(get(key), get(first)),
                ))
          const divide: Code = [
            set(stats, i32.add(within(lies.stats), scaled(get(panel), STATS_BYTES))),
            vectorsOf(rows).map(({ at, lanes }): Code => [
              set(top, v128.load(get(stats), 4 * at)),
              set(sum, v128.load(get(stats), 4 * at + 32)),
              set(blind, f32x4.le(get(top), number(HIDDEN))),
              v128.store(get(stats), v128.andnot(f32x4.div(number(1), get(sum)), get(blind)), 4 * at),
              shape.logSum === undefined ? [] : [
                set(
                  top,
                  v128.bitselect(
                    number(NOTHING),
                    f32x4.add(
                      f32x4.mul(get(top), number(Math.LN2)),
                      vectorUnary(module, target, f, "log", "f32", get(sum)),
                    ),
                    get(blind),
                  ),
                ),
                storeLanes(get(logSum), shape.logSum[3], lanes, at * shape.logSum[3], get(top)),
              ],
            ]),
            increase(logSum, rows * bytesAlong(shape.logSum, 3)),
            eachRow((r) => [
              set(sum, v128.load32Splat(get(stats), 4 * r)),
              forVectors(row, output, valueWidth, (lanes): Code => [
                set(top, f32x4.mul(loadLanes(get(row), 1, lanes, 0), get(sum))),
                storeLanes(get(row), 1, lanes, 0, get(top)),
              ]),
              increase(output, 4 * shape.output[3]),
            ]),
          ]
          const range: Code = [
            [first, end].map((local, i) => set(local, i32.load(entry, 4 * i))),
            // Of the panel of the last keys, those that there are.
            set(last, lesser(get(end), i32.const(keys))),
          ]
          return together
            ? [allScores(), eachPanel([range, weights]), allValues(), eachPanel(divide)]
            : eachPanel([range, scores(), weights, values(), divide])
        },
      ),
  )
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
