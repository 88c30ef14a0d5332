/**
 * Products of a few rows in WebAssembly, with operands in panels of eight columns or as they lie.
 * @module
 */
import { COLUMNS, ROWS, vectorsOf } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import { pack } from "../../matmul/wasm/pack.ts"
import { STRIP_COLUMNS, stripKernel } from "../../matmul/wasm/strip_kernel.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
  when,
} from "../../wasm/assembler.ts"
import { loadLanes, storeLanes } from "../../wasm/lanes.ts"
import { integers } from "./parts.ts"

/**
 * Index of the function `(from, stride, k, count, to, panelBytes)`, all i32, that packs `count` columns of k elements into
 * panels [k][8], `panelBytes` from one to the next; lanes beyond are 0.
 *
 * @param layout `depth`: the k of one column lie side by side (stride: bytes from column to column); `across`: the
 * columns of one k do (stride: bytes from one k to the next).
 * @param tail What `count` leaves beyond whole panels.
 */
export const packColumns = (module: ModuleBuilder, layout: "depth" | "across", tail: number): number =>
  module.once(
    `attention_pack_${layout}_${tail}`,
    () =>
      module.func(
        `pack_${layout}`,
        new Array(6).fill("i32"),
        [],
        (f, from, stride, k, count, to, panelBytes) => {
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
              increase(to, get(panelBytes)),
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
  /** Where b lies as it is, and not in panels: from one k to the next; its columns lie side by side. */
  readonly bStride?: number
}
const UNROLL = 8

/**
 * Index of the function `(a, panels, panelBytes, k, columns, output, more)`, all i32: a few rows of `output` = a times
 * `columns` columns in panels of eight, added to what is there where `more` is not 0. Unlike the micro-kernel of
 * `matmul` it knows the strides and stays for all panels: attention's sums are short.
 */
export const rowsTimesPanels = (module: ModuleBuilder, target: Target, product: Product): number => {
  const { layout, rows, aStride, outputStride, tail, bStride = 4 * COLUMNS } = product
  return module.once(
    `attention_rows_${JSON.stringify(product)}_${target.relaxed}`,
    () =>
      module.func(
        `rows_${layout}_${rows}`,
        new Array(7).fill("i32"),
        [],
        (f, a, panels, panelBytes, k, columns, output, more) => {
          const [column, right, end, wholeEnd] = integers(f, 4)
          // An address for each row, even where rows are neighbours: as in the micro-kernel.
          const left = integers(f, rows)
          const number = f.local("v128")
          const vectors = [f.local("v128"), f.local("v128")]
          const sums = Array.from({ length: rows }, () => [f.local("v128"), f.local("v128")])
          const tile = (width: number): Code => {
            const used = vectorsOf(width)
            const each = (body: (sum: number, r: number, vector: { at: number; lanes: number }) => Code): Code =>
              sums.map((row, r) => used.map((vector, i) => body(row[i], r, vector)))
            const steps = (count: number): Code => [
              Array.from({ length: count }, (_, step): Code => [
                used.map(({ at, lanes }, i) =>
                  set(
                    vectors[i],
                    loadLanes(get(right), 1, product.bStride === undefined ? 4 : lanes, step * bStride / 4 + at),
                  )
                ),
                sums.map((row, r): Code => [
                  set(number, v128.load32Splat(get(left[r]), step * (layout === "depth" ? 4 : aStride))),
                  used.map((_, i) => set(row[i], madd(target, get(number), get(vectors[i]), get(row[i])))),
                ]),
              ]),
              left.map((pointer) => increase(pointer, count * (layout === "depth" ? 4 : aStride))),
              increase(right, bStride * count),
            ]
            return [
              when(
                get(more),
                each((sum, r, { at, lanes }) => set(sum, loadLanes(get(output), 1, lanes, r * outputStride / 4 + at))),
                each((sum) => set(sum, f32x4.const(0))),
              ),
              left.map((pointer, r) =>
                set(pointer, r === 0 ? get(a) : i32.add(get(left[r - 1]), i32.const(layout === "depth" ? aStride : 4)))
              ),
              set(end, i32.add(get(panels), scaled(get(k), bStride))),
              set(wholeEnd, i32.add(get(panels), scaled(i32.and(get(k), i32.const(-UNROLL)), bStride))),
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

/** Terms of a strip: sums are as long as a head is wide, or run over what is seen. */
export const STRIP = 32

/**
 * As {@link rowsTimesPanels} in wide vectors: index of the function `(a, tiles, panels, panelBytes, k, columns, output,
 * more)`, all i32, for `tiles` times {@link ROWS} rows.
 */
export const tilesTimesPanels = (
  module: ModuleBuilder,
  target: Target,
  product: Omit<Product, "rows" | "bStride">,
): number => {
  const { layout, aStride, outputStride } = product
  const perTerm = layout === "depth" ? 4 : aStride
  const tileBytes = { a: ROWS * (layout === "depth" ? aStride : 4), output: ROWS * outputStride }
  return module.once(
    `attention_tiles_${JSON.stringify(product)}_${target.relaxed}`,
    () =>
      module.func(
        `tiles_${layout}`,
        new Array(8).fill("i32"),
        [],
        (f, a, tiles, panels, panelBytes, k, columns, output, more) => {
          const [term, column, tile] = integers(f, 3)
          const whole = f.local("i32")
          /** The terms from `term` on of so many columns, tile by tile. */
          const narrow = (columns: Code): Code =>
            forRange(
              tile,
              i32.const(0),
              get(tiles),
              1,
              callFunction(
                rowsTimesPanels(module, target, { ...product, rows: ROWS }),
                i32.add(i32.add(get(a), scaled(get(term), perTerm)), scaled(get(tile), tileBytes.a)),
                i32.add(get(panels), scaled(get(term), 4 * COLUMNS)),
                get(panelBytes),
                i32.sub(get(k), get(term)),
                columns,
                i32.add(get(output), scaled(get(tile), tileBytes.output)),
                i32.or(get(more), get(term)),
              ),
            )
          return [
            set(whole, i32.and(get(k), i32.const(-STRIP))),
            forRange(
              column,
              i32.const(STRIP_COLUMNS - 1),
              get(columns),
              STRIP_COLUMNS,
              forRange(
                term,
                i32.const(0),
                get(whole),
                STRIP,
                callFunction(
                  stripKernel(module, target, layout, STRIP),
                  i32.add(get(a), scaled(get(term), perTerm)),
                  i32.const(aStride),
                  i32.add(get(panels), scaled(get(term), 4 * COLUMNS)),
                  get(panelBytes),
                  get(output),
                  i32.const(outputStride),
                  get(output),
                  i32.const(outputStride),
                  get(tiles),
                  i32.or(get(more), get(term)),
                ),
              ),
              set(term, get(whole)),
              // Of no terms, the sum is 0.
              when(i32.or(i32.ltU(get(term), get(k)), i32.eqz(get(k))), narrow(i32.const(STRIP_COLUMNS))),
              increase(panels, i32.shl(get(panelBytes), i32.const(1))),
              increase(output, 4 * STRIP_COLUMNS),
            ),
            set(column, i32.and(get(columns), i32.const(STRIP_COLUMNS - 1))),
            set(term, i32.const(0)),
            when(get(column), narrow(get(column))),
          ]
        },
      ),
  )
}

/** Keys that are met together by {@link rowsTimesKeys}, and rows: twelve sums, four keys in registers. */
const KEYS = 4, FEW = 3

/**
 * Index of the function `(queries, keys, count, scores)`, all i32: the scalar products of `rows` queries with `count`
 * keys, both as they lie. For a few queries: packing the keys would take longer than this.
 *
 * @param width Of a query and of a key.
 * @param strides From query to query, from key to key, from row to row of the scores, in bytes.
 * @param tail What `count` leaves beyond whole fours.
 */
export const rowsTimesKeys = (
  module: ModuleBuilder,
  target: Target,
  { rows, width, strides, tail }: {
    readonly rows: number
    readonly width: number
    readonly strides: readonly [queries: number, keys: number, scores: number]
    readonly tail: number
  },
): number => {
  const [queryStride, keyStride, scoreStride] = strides
  return module.once(
    `attention_few_${JSON.stringify([rows, width, strides, tail])}_${target.relaxed}`,
    () =>
      module.func("rows_times_keys", new Array(4).fill("i32"), [], (f, queries, keys, count, scores) => {
        const [key, query, from, at] = integers(f, 4)
        const sums = Array.from({ length: FEW }, () => Array.from({ length: KEYS }, () => f.local("v128")))
        const vectors = Array.from({ length: KEYS }, () => f.local("v128"))
        const one = f.local("v128")
        const shuffled = (a: number, b: number, lanes: readonly [number, number, number, number]): Code =>
          v128.shuffle32(get(a), get(b), lanes)
        /** Sums of the lanes of four vectors, side by side. */
        const gather = ([a, b, c, d]: ReadonlyArray<number>): Code => [
          ...[[a, b], [c, d]].map(([x, y]) =>
            set(x, f32x4.add(shuffled(x, y, [0, 4, 1, 5]), shuffled(x, y, [2, 6, 3, 7])))
          ),
          f32x4.add(shuffled(a, c, [0, 1, 4, 5]), shuffled(a, c, [2, 3, 6, 7])),
        ]
        const block = (first: number, height: number, present: number): Code => {
          const step = (lanes: number): Code => [
            vectors.slice(0, present).map((vector, i): Code => [
              set(vector, loadLanes(i32.add(get(from), i32.const(i * keyStride)), 1, lanes, 0)),
            ]),
            sums.slice(0, height).map((row, r): Code => [
              set(one, loadLanes(i32.add(get(query), i32.const((first + r) * queryStride)), 1, lanes, 0)),
              vectors.slice(0, present).map((vector, i) =>
                set(row[i], madd(target, get(one), get(vector), get(row[i])))
              ),
            ]),
            increase(from, 16),
            increase(query, 16),
          ]
          return [
            sums.slice(0, height).map((row) => row.map((sum) => set(sum, f32x4.const(0)))),
            set(from, get(keys)),
            set(query, get(queries)),
            forRange(at, i32.const(0), i32.const(width - width % 4), 4, step(4)),
            width % 4 === 0 ? [] : step(width % 4),
            sums.slice(0, height).map((row, r) =>
              v128.store(i32.add(get(scores), i32.const((first + r) * scoreStride)), gather(row))
            ),
          ]
        }
        const meet = (present: number): Code =>
          Array.from(
            { length: Math.ceil(rows / FEW) },
            (_, i) => block(FEW * i, Math.min(FEW, rows - FEW * i), present),
          )
        return [
          forRange(
            key,
            i32.const(KEYS - 1),
            get(count),
            KEYS,
            meet(KEYS),
            increase(keys, KEYS * keyStride),
            increase(scores, 4 * KEYS),
          ),
          tail === 0 ? [] : when(i32.and(get(count), i32.const(KEYS - 1)), meet(tail)),
        ]
      }),
  )
}
