/**
 * The derivative of attention in WebAssembly for a block of queries and a chunk of keys.
 * @module
 */
import {
  byHeight,
  eachStrip,
  firstRow,
  integers,
  minimum,
  padded,
  panelsOf,
  RANGE_BYTES,
  zeroRows,
} from "../attention/_wasm_parts.ts"
import { packPanels, rowsTimesPanels, STRIP, tilesTimesPanels } from "../attention/_wasm_products.ts"
import { keyOf } from "../collapse.ts"
import { ROWS } from "../matmul/_wasm_micro_kernel.ts"
import { scaled } from "../matmul/_wasm_operands.ts"
import { STRIP_COLUMNS } from "../matmul/_wasm_strip_kernel.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  get,
  i32,
  increase,
  ret,
  select,
  set,
  when,
} from "../wasm/assembler.ts"
import type { KernelContext } from "../wasm/kernel.ts"
import { rowFunction } from "./_wasm_row.ts"
import { scratchOf, type Shape, type Strides } from "./_wasm_shape.ts"

/** Parameters of a block: addresses of its first query, but of the first key for `dk` and `dv`. */
export const BLOCK_PARAMETERS = ["q", "mask", "factor", "logSum", "cotangent", "delta", "dq", "dk", "dv"] as const
/** Locals with them. */
export type Addresses = Readonly<Record<typeof BLOCK_PARAMETERS[number], number>>

/**
 * Index of the function `(scratch, seen, firstPanel, lastPanel, start, moreQueries, ...addresses)`, all i32: these panels of
 * queries, and what they see of all keys, with a packed chunk of `keys` keys from key `start` on. dq is added to what is
 * there where `start` is not 0; dk and dv where `moreQueries` is not.
 */
export const blockFunction = (context: KernelContext, shape: Shape, keys: number): number => {
  const { module, target } = context
  const { width, valueWidth } = shape
  const lies = scratchOf(shape)
  const needsScores = shape.dq !== undefined || shape.dk !== undefined
  const bytes = (strides: Strides | undefined, axis: number) => 4 * (strides?.[axis] ?? 0)
  return module.once(
    keyOf(["attention_gradient_block", shape, keys, target]),
    () =>
      module.func(
        "attention_gradient_block",
        new Array(6 + BLOCK_PARAMETERS.length).fill("i32"),
        [],
        (f, scratch, seen, firstPanel, lastPanel, start, moreQueries, ...given) => {
          const at = Object.fromEntries(BLOCK_PARAMETERS.map((name, i) => [name, given[i]])) as Addresses
          const [first, clear, end, range, lastRange, panel, any, row, queries] = integers(f, 9)
          const [weights, scores, tile, key, from, to, query, wholePanels, dq0] = integers(f, 9)
          const within = (place: number): Code => i32.add(get(scratch), i32.const(place))
          const nextQueries = (rows: number): Code => [
            increase(at.q, rows * bytes(shape.q, 3)),
            increase(at.mask, rows * bytes(shape.mask, 1)),
            increase(at.factor, rows * bytes(shape.factor, 3)),
            increase(at.logSum, rows * bytes(shape.logSum, 3)),
            increase(at.cotangent, rows * bytes(shape.cotangent, 3)),
            increase(at.delta, rows * bytes(shape.delta, 3)),
            increase(at.dq, rows * bytes(shape.dq, 3)),
            increase(weights, rows * lies.rowBytes),
            increase(scores, rows * lies.rowBytes),
          ]
          const eachRange = (...body: ReadonlyArray<Code>): Code => [
            set(panel, get(firstPanel)),
            forRange(range, within(lies.ranges), get(lastRange), RANGE_BYTES, ...body, increase(panel, 1)),
          ]
          /** Of a range of all keys, the part in this chunk. */
          const clipped: Code = minimum(
            i32.const(padded(keys)),
            select(i32.sub(get(row), get(start)), i32.const(0), i32.gtU(get(row), get(start))),
          )
          const product = (height: number, a: number, place: number, k: number, output: number): Code =>
            callFunction(
              rowsTimesPanels(module, target, {
                layout: "depth",
                rows: height,
                aStride: bytes(a === at.q ? shape.q : shape.cotangent, 3),
                outputStride: lies.rowBytes,
                tail: 0,
              }),
              get(a),
              i32.add(within(place), scaled(get(first), 4 * k)),
              i32.const(32 * k),
              i32.const(k),
              i32.sub(get(end), get(first)),
              i32.add(get(output), scaled(get(first), 4)),
              i32.const(0),
            )
          const derivatives = (height: number): Code =>
            Array.from({ length: height }, (_, r) =>
              callFunction(
                rowFunction(context, shape, keys),
                i32.add(get(weights), i32.const(r * lies.rowBytes)),
                i32.add(get(scores), i32.const(r * lies.rowBytes)),
                i32.add(get(at.mask), i32.const(r * bytes(shape.mask, 1))),
                i32.add(get(at.factor), i32.const(r * bytes(shape.factor, 3))),
                i32.add(get(at.logSum), i32.const(r * bytes(shape.logSum, 3))),
                i32.add(get(at.delta), i32.const(r * bytes(shape.delta, 3))),
                get(first),
                get(clear),
                get(end),
              ))
          const queryProducts = {
            layout: "depth",
            aStride: lies.rowBytes,
            outputStride: bytes(shape.dq, 3),
            tail: width % 8,
          } as const
          const rowsOf = (height: number): Code => [
            [first, clear, end].map((local, i) => set(local, i32.load(get(range), 4 * i))),
            product(height, at.q, lies.keyPanels, width, weights),
            needsScores ? product(height, at.cotangent, lies.valuePanels, valueWidth, scores) : [],
            derivatives(height),
            shape.dq === undefined ? [] : callFunction(
              rowsTimesPanels(module, target, { ...queryProducts, rows: height }),
              i32.add(get(scores), scaled(get(first), 4)),
              i32.add(within(lies.keyColumns), scaled(get(first), 32)),
              i32.const(32 * keys),
              i32.sub(minimum(get(end), i32.const(keys)), get(first)),
              i32.const(width),
              get(at.dq),
              get(start),
            ),
            nextQueries(height),
          ]

          const seenByWhole = { table: within(lies.ranges), count: get(wholePanels) }
          const rowsFrom = (start: Code, panel: number, stride: number): Code =>
            i32.add(start, scaled(get(panel), ROWS * stride))
          const wideProduct = (from: number, view: Strides, place: number, k: number, output: number): Code =>
            eachStrip(f, STRIP_COLUMNS, padded(keys), seenByWhole, (key, columns, panel, panels) =>
              callFunction(
                tilesTimesPanels(module, target, {
                  layout: "depth",
                  aStride: bytes(view, 3),
                  outputStride: lies.rowBytes,
                  tail: 0,
                }),
                rowsFrom(get(from), panel, bytes(view, 3)),
                panels,
                i32.add(within(place), scaled(key, 4 * k)),
                i32.const(32 * k),
                i32.const(k),
                columns,
                i32.add(rowsFrom(within(output), panel, lies.rowBytes), scaled(key, 4)),
                i32.const(0),
              ))
          /** Whole panels of queries: weights and derivatives of all of them, then dq. */
          const wideQueries = (): Code => [
            set(wholePanels, i32.sub(minimum(get(lastPanel), i32.const(shape.full)), get(firstPanel))),
            wideProduct(at.q, shape.q, lies.keyPanels, width, lies.weights),
            needsScores ? wideProduct(at.cotangent, shape.cotangent, lies.valuePanels, valueWidth, lies.scores) : [],
            set(dq0, get(at.dq)),
            eachRange(
              byHeight(shape, get(panel), (height) =>
                height < ROWS ? rowsOf(height) : [
                  [first, clear, end].map((local, i) => set(local, i32.load(get(range), 4 * i))),
                  derivatives(height),
                  shape.dq === undefined
                    ? []
                    : when(i32.eqz(get(start)), zeroRows(f, get(at.dq), i32.const(ROWS), width, bytes(shape.dq, 3))),
                  nextQueries(height),
                ]),
            ),
            shape.dq === undefined ? [] : eachStrip(f, STRIP, keys, seenByWhole, (key, k, panel, panels) =>
              callFunction(
                tilesTimesPanels(module, target, queryProducts),
                i32.add(rowsFrom(within(lies.scores), panel, lies.rowBytes), scaled(key, 4)),
                panels,
                i32.add(within(lies.keyColumns), scaled(key, 32)),
                i32.const(32 * keys),
                k,
                i32.const(width),
                rowsFrom(get(dq0), panel, bytes(shape.dq, 3)),
                i32.const(1),
              )),
          ]
          /** Whole panels of keys: what strips of the block's queries, of which some see them, add to dk and dv. */
          const wideKeys = (whole: number): Code => {
            const sum = (a: number, place: number, columns: number, view: Strides, output: number): Code =>
              callFunction(
                tilesTimesPanels(module, target, {
                  layout: "across",
                  aStride: lies.rowBytes,
                  outputStride: bytes(view, 2),
                  tail: columns % 8,
                }),
                i32.add(i32.add(within(a), scaled(get(query), lies.rowBytes)), scaled(get(from), 4 * ROWS)),
                i32.sub(get(to), get(from)),
                i32.add(within(place), scaled(get(query), 32)),
                scaled(get(queries), 32),
                i32.sub(get(end), get(query)),
                i32.const(columns),
                i32.add(get(output), scaled(get(from), ROWS * bytes(view, 2))),
                i32.const(1),
              )
            return [
              when(i32.eqz(get(moreQueries)), [
                shape.dk === undefined
                  ? []
                  : zeroRows(f, get(at.dk), i32.const(ROWS * whole), width, bytes(shape.dk, 2)),
                shape.dv === undefined
                  ? []
                  : zeroRows(f, get(at.dv), i32.const(ROWS * whole), valueWidth, bytes(shape.dv, 2)),
              ]),
              forRange(
                query,
                i32.const(0),
                get(queries),
                STRIP,
                set(end, minimum(get(queries), i32.add(get(query), i32.const(STRIP)))),
                // The panels of keys between the first and the last key that one of them sees; elsewhere weights are 0.
                set(from, i32.const(keys)),
                set(to, i32.const(0)),
                set(row, i32.const(0)),
                eachRange(
                  when(
                    i32.and(
                      i32.and(i32.ltU(get(row), get(end)), i32.gtU(i32.add(get(row), i32.const(ROWS)), get(query))),
                      i32.ltU(i32.load(get(range)), i32.load(get(range), 8)),
                    ),
                    [
                      set(from, minimum(get(from), i32.load(get(range)))),
                      set(to, select(get(to), i32.load(get(range), 8), i32.gtU(get(to), i32.load(get(range), 8)))),
                    ],
                  ),
                  increase(row, ROWS),
                ),
                set(from, i32.divU(get(from), i32.const(ROWS))),
                set(
                  to,
                  minimum(i32.divU(i32.add(get(to), i32.const(ROWS - 1)), i32.const(ROWS)), i32.const(whole)),
                ),
                when(i32.ltU(get(from), get(to)), [
                  shape.dk === undefined ? [] : sum(lies.scores, lies.queryColumns, width, shape.dk, at.dk),
                  shape.dv === undefined ? [] : sum(lies.weights, lies.cotangentColumns, valueWidth, shape.dv, at.dv),
                ]),
              ),
            ]
          }
          const packColumns = (view: Strides, from: number, columns: number, place: number): Code =>
            callFunction(
              packPanels(module, "across", columns % 8),
              get(from),
              i32.const(bytes(view, 3)),
              get(queries),
              i32.const(columns),
              within(place),
            )
          /** Rows of the transposed weights or scores times columns of queries or cotangents. */
          const transposed = (height: number, a: number, place: number, columns: number, view: Strides, to_: number) =>
            callFunction(
              rowsTimesPanels(module, target, {
                layout: "across",
                rows: height,
                aStride: lies.rowBytes,
                outputStride: bytes(view, 2),
                tail: columns % 8,
              }),
              i32.add(i32.add(within(a), scaled(get(from), lies.rowBytes)), scaled(get(key), 4)),
              i32.add(within(place), scaled(get(from), 32)),
              scaled(get(queries), 32),
              i32.sub(get(to), get(from)),
              i32.const(columns),
              i32.add(get(to_), scaled(get(key), bytes(view, 2))),
              get(moreQueries),
            )
          const rowOf = (panel: Code): Code => firstRow(shape, panel)
          const tileOf = (height: number): Code => [
            // The queries that see some of these keys lie between these two.
            set(from, get(queries)),
            set(to, i32.const(0)),
            set(row, i32.const(0)),
            eachRange(
              set(end, i32.add(get(row), i32.sub(rowOf(i32.add(get(panel), i32.const(1))), rowOf(get(panel))))),
              when(
                i32.and(
                  i32.ltU(i32.load(get(range)), i32.add(get(key), i32.const(height))),
                  i32.gtU(i32.load(get(range), 8), get(key)),
                ),
                [set(from, minimum(get(from), get(row))), set(to, get(end))],
              ),
              set(row, get(end)),
            ),
            set(from, minimum(get(from), get(to))),
            shape.dk === undefined ? [] : transposed(height, lies.scores, lies.queryColumns, width, shape.dk, at.dk),
            shape.dv === undefined
              ? []
              : transposed(height, lies.weights, lies.cotangentColumns, valueWidth, shape.dv, at.dv),
            increase(key, height),
          ]
          const tiles = panelsOf(keys)
          return [
            set(lastRange, i32.add(within(lies.ranges), scaled(i32.sub(get(lastPanel), get(firstPanel)), RANGE_BYTES))),
            set(queries, i32.sub(rowOf(get(lastPanel)), rowOf(get(firstPanel)))),
            eachRange(
              [0, 4, 8].map((place): Code => [
                set(row, i32.load(i32.add(get(seen), scaled(get(panel), RANGE_BYTES)), place)),
                i32.store(get(range), clipped, place),
              ]),
              // Nothing lies between two bounds that were moved to the chunk's end.
              when(i32.eq(i32.load(get(range)), i32.load(get(range), 8)), [
                [0, 4, 8].map((place) => i32.store(get(range), i32.const(0), place)),
              ]),
              set(any, i32.or(get(any), i32.load(get(range), 8))),
            ),
            // Nothing to add.
            when(i32.and(i32.eqz(get(any)), i32.and(i32.ne(get(start), i32.const(0)), get(moreQueries))), ret()),
            shape.dk === undefined ? [] : packColumns(shape.q, at.q, width, lies.queryColumns),
            shape.dv === undefined ? [] : packColumns(shape.cotangent, at.cotangent, valueWidth, lies.cotangentColumns),
            set(weights, within(lies.weights)),
            set(scores, within(lies.scores)),
            shape.wide
              ? [
                wideQueries(),
                wideKeys(Math.floor(keys / ROWS)),
                set(key, i32.const(keys - keys % ROWS)),
                keys % ROWS === 0 ? [] : tileOf(keys % ROWS),
              ]
              : [
                eachRange(byHeight(shape, get(panel), rowsOf)),
                set(key, i32.const(0)),
                forRange(tile, i32.const(0), i32.const(tiles.count), 1, byHeight(tiles, get(tile), tileOf)),
              ],
          ]
        },
      ),
  )
}
