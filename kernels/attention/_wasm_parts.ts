/**
 * What attention and its derivative have in common in WebAssembly: products of a few rows with packed panels, the range
 * of keys that these rows see, and how work is cut.
 * @module
 */
import type { AttentionCall, AttentionGradientCall, View } from "../contract.ts"
import { COLUMNS, ROWS } from "../matmul/_wasm_micro_kernel.ts"
import { pack } from "../matmul/_wasm_pack.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  i32x4,
  increase,
  madd,
  type ModuleBuilder,
  select,
  set,
  type Target,
  v128,
  when,
} from "../wasm/assembler.ts"
import { loadLanes, storeLanes } from "../wasm/lanes.ts"

/** `count` rounded up to whole panels of eight. */
export const padded = (count: number): number => Math.ceil(count / COLUMNS) * COLUMNS
/** First element and lanes of the vectors that `count` neighbours fall into: 4, 4, ... and the rest. */
export const vectorsOf = (count: number): { readonly at: number; readonly lanes: number }[] =>
  Array.from({ length: Math.ceil(count / 4) }, (_, i) => ({ at: 4 * i, lanes: Math.min(4, count - 4 * i) }))

/** `index * by`. */
export const scaled = (index: Code, by: number): Code => i32.mul(index, i32.const(by))
/** The lesser of two; both are evaluated twice. */
export const minimum = (a: Code, b: Code): Code => select(a, b, i32.ltU(a, b))

/** Rows cut into panels that a micro-kernel takes, as even as can be: the last ones may have one row less. */
export interface Panels {
  /** Number of panels. */
  readonly count: number
  /** Rows of the first ones. */
  readonly rows: number
  /** How many have so many. */
  readonly full: number
}
/** Cuts rows into panels. */
export const panelsOf = (rows: number): Panels => {
  const count = Math.ceil(rows / ROWS)
  const most = Math.ceil(rows / Math.max(1, count))
  return { count, rows: most, full: rows - count * (most - 1) }
}
/** The first row of a panel; `panel` is evaluated several times. */
export const firstRow = ({ count, rows, full }: Panels, panel: Code): Code =>
  full === count ? scaled(panel, rows) : i32.add(scaled(panel, rows - 1), minimum(panel, i32.const(full)))
/** Code for a panel by its height. */
export const byHeight = ({ count, rows, full }: Panels, panel: Code, body: (rows: number) => Code): Code =>
  full === count ? body(rows) : when(i32.ltU(panel, i32.const(full)), body(rows), body(rows - 1))

/** Views with an axis of queries. */
const PER_QUERY: ReadonlySet<string> = new Set(["q", "factor", "output", "logSum", "cotangent", "delta", "dq"])
/** Where there is one query, the members of a group take its place: they meet the same keys. */
export const withQueries = <C extends AttentionCall | AttentionGradientCall>(call: C): C => {
  const group = call.q.shape[2]
  if (call.q.shape[3] !== 1 || group === 1) return call
  const swapped = <A>(
    [batch, shared, group, query, ...rest]: ReadonlyArray<A>,
  ) => [batch, shared, query, group, ...rest]
  const views = Object.entries(call).map(([name, view]) =>
    PER_QUERY.has(name) && view !== undefined
      ? [name, { ...view, shape: swapped(view.shape), strides: swapped(view.strides) }]
      : [name, view]
  )
  const [batch, , keys] = call.mask.shape, [batchStride, , keyStride] = call.mask.strides
  const mask: View = { ...call.mask, shape: [batch, group, keys], strides: [batchStride, 0, keyStride] }
  return { ...Object.fromEntries(views), mask }
}

/**
 * Index of the function `(from, stride, k, count, to)`, all i32, that packs `count` columns of k elements into panels
 * [k][8], one behind the other; lanes beyond are 0.
 *
 * @param layout `depth`: the k of one column lie side by side (stride: bytes from column to column); `across`: the columns
 * of one k do (stride: bytes from one k to the next).
 * @param tail What `count` leaves beyond whole panels.
 */
export const packPanels = (module: ModuleBuilder, layout: "depth" | "across", tail: number): number =>
  module.once(
    `attention_pack_${layout}_${tail}`,
    () =>
      module.func(
        `pack_${layout}`,
        ["i32", "i32", "i32", "i32", "i32"],
        [],
        (f, from, stride, k, count, to) => {
          const column = f.local("i32")
          const one = (columns: number): Code =>
            callFunction(
              pack(module, layout, columns, COLUMNS),
              get(from),
              layout === "depth" ? i32.const(4) : get(stride),
              layout === "depth" ? get(stride) : i32.const(4),
              get(k),
              get(to),
            )
          return [
            forRange(
              column,
              i32.const(COLUMNS - 1),
              get(count),
              COLUMNS,
              one(COLUMNS),
              increase(from, layout === "depth" ? scaled(get(stride), COLUMNS) : 4 * COLUMNS),
              increase(to, scaled(get(k), 4 * COLUMNS)),
            ),
            tail === 0 ? [] : when(i32.and(get(count), i32.const(COLUMNS - 1)), one(tail)),
          ]
        },
      ),
  )

/** How a few rows of a product lie; strides in bytes. */
interface Product {
  /** How a lies: `depth`, k side by side (stride: from row to row); `across`, rows side by side (stride: along k). */
  readonly layout: "depth" | "across"
  /** At most six: with two vectors of b and one number of a, their sums fill the 16 registers of AVX2. */
  readonly rows: number
  readonly aStride: number
  readonly outputStride: number
  /** What the columns leave beyond whole panels. */
  readonly tail: number
}
const UNROLL = 4

/**
 * Index of the function `(a, panels, panelBytes, k, columns, output, more)`, all i32: a few rows of `output` = a times
 * `columns` columns in panels of eight, added to what is there where `more` is not 0. Unlike the micro-kernel of `matmul`
 * it knows the strides and stays for all panels: attention's sums are short.
 */
export const rowsTimesPanels = (module: ModuleBuilder, target: Target, product: Product): number => {
  const { layout, rows, aStride, outputStride, tail } = product
  return module.once(
    `attention_rows_${JSON.stringify(product)}_${target.relaxed}`,
    () =>
      module.func(
        `rows_${layout}_${rows}`,
        new Array(7).fill("i32"),
        [],
        (f, a, panels, panelBytes, k, columns, output, more) => {
          const [column, right, end, wholeEnd] = integers(f, 4)
          const left = integers(f, layout === "depth" ? rows : 1)
          const number = f.local("v128")
          const vectors = [f.local("v128"), f.local("v128")]
          const sums = Array.from({ length: rows }, () => [f.local("v128"), f.local("v128")])
          const tile = (width: number): Code => {
            const used = vectorsOf(width)
            const each = (body: (sum: number, r: number, vector: { at: number; lanes: number }) => Code): Code =>
              sums.map((row, r) => used.map((vector, i) => body(row[i], r, vector)))
            const steps = (count: number): Code => [
              Array.from({ length: count }, (_, step): Code => [
                used.map(({ at }, i) => set(vectors[i], v128.load(get(right), 32 * step + 4 * at))),
                sums.map((row, r): Code => [
                  set(
                    number,
                    layout === "depth"
                      ? v128.load32Splat(get(left[r]), 4 * step)
                      : v128.load32Splat(get(left[0]), step * aStride + 4 * r),
                  ),
                  used.map((_, i) => set(row[i], madd(target, get(number), get(vectors[i]), get(row[i])))),
                ]),
              ]),
              left.map((pointer) => increase(pointer, count * (layout === "depth" ? 4 : aStride))),
              increase(right, 32 * count),
            ]
            return [
              when(
                get(more),
                each((sum, r, { at, lanes }) => set(sum, loadLanes(get(output), 1, lanes, r * outputStride / 4 + at))),
                each((sum) => set(sum, f32x4.const(0))),
              ),
              left.map((pointer, r) => set(pointer, r === 0 ? get(a) : i32.add(get(left[r - 1]), i32.const(aStride)))),
              set(end, i32.add(get(panels), scaled(get(k), 32))),
              set(wholeEnd, i32.add(get(panels), scaled(i32.and(get(k), i32.const(-UNROLL)), 32))),
              forRange(right, get(panels), get(wholeEnd), 0, steps(UNROLL)),
              forRange(right, get(wholeEnd), get(end), 0, steps(1)),
              each((sum, r, { at, lanes }) => storeLanes(get(output), 1, lanes, r * outputStride / 4 + at, get(sum))),
            ]
          }
          return [
            forRange(
              column,
              i32.const(COLUMNS - 1),
              get(columns),
              COLUMNS,
              tile(COLUMNS),
              increase(panels, get(panelBytes)),
              increase(output, 4 * COLUMNS),
            ),
            tail === 0 ? [] : when(i32.and(get(columns), i32.const(COLUMNS - 1)), tile(tail)),
          ]
        },
      ),
  )
}

/** Bytes of an entry of the table of {@link scan}: first, clear, end and nothing. */
export const RANGE_BYTES = 16

/**
 * Index of the function `(mask, table)`, both i32: for each panel of queries the range of keys that some of its queries
 * see, and from which key on not all of them do; i32 `first <= clear <= end` in steps of eight keys, all 0 where there is
 * none.
 *
 * @param strides Of the mask.
 */
export const scan = (module: ModuleBuilder, panels: Panels, keys: number, strides: ReadonlyArray<number>): number => {
  const [, rowStride, keyStride] = strides
  return module.once(
    `attention_scan_${JSON.stringify([panels, keys, rowStride, keyStride])}`,
    () =>
      module.func("attention_scan", ["i32", "i32"], [], (f, mask, table) => {
        const [panel, row, rows, at, key, first, clear, end] = integers(f, 8)
        const [some, all, one] = [f.local("v128"), f.local("v128"), f.local("v128")]
        const look = (count: number): Code => [
          set(some, f32x4.const(0)),
          set(all, i32x4.const(-1)),
          set(at, i32.add(get(mask), scaled(get(key), 4 * keyStride))),
          // One row stands for all where they are alike.
          forRange(row, i32.const(0), rowStride === 0 ? i32.const(1) : get(rows), 1, [
            vectorsOf(count).map(({ at: place, lanes }): Code => [
              set(one, f32x4.ne(loadLanes(get(at), keyStride, lanes, place * keyStride), f32x4.const(0))),
              set(some, v128.or(get(some), get(one))),
              set(all, v128.and(get(all), get(one))),
            ]),
            increase(at, 4 * rowStride),
          ]),
          when(v128.anyTrue(get(some)), [
            when(i32.eqz(get(end)), [set(first, get(key)), set(clear, get(key))]),
            set(end, i32.add(get(key), i32.const(COLUMNS))),
          ]),
          // A panel with fewer keys is never clear.
          count < COLUMNS ? [] : when(
            i32.and(i32x4.allTrue(get(all)), i32.eq(get(clear), get(key))),
            set(clear, get(end)),
          ),
        ]
        const whole = keys - keys % COLUMNS
        return forRange(panel, i32.const(0), i32.const(panels.count), 1, [
          byHeight(panels, get(panel), (height) => set(rows, i32.const(height))),
          [first, clear, end].map((local) => set(local, i32.const(0))),
          forRange(key, i32.const(0), i32.const(whole), COLUMNS, look(COLUMNS)),
          whole === keys ? [] : [set(key, i32.const(whole)), look(keys - whole)],
          [first, clear, end].map((local, i) => i32.store(get(table), get(local), 4 * i)),
          increase(table, RANGE_BYTES),
          increase(mask, scaled(get(rows), 4 * rowStride)),
        ])
      }),
  )
}

/** Adds to locals what an index means along an axis: `[local, bytes]` pairs. */
export const step = (index: Code, moves: ReadonlyArray<readonly [number, number]>): Code =>
  moves.filter(([, bytes]) => bytes !== 0).map(([local, bytes]) => increase(local, scaled(index, bytes)))

/** New i32 locals. */
export const integers = (f: FunctionScope, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, () => f.local("i32"))
