/**
 * What attention and its derivative have in common in WebAssembly: products of a few rows with packed panels, the range
 * of keys that these rows see, and how work is cut.
 * @module
 */
import type { AttentionCall, AttentionGradientCall, View } from "../contract.ts"
import { COLUMNS, microKernel, ROWS } from "../matmul/_wasm_micro_kernel.ts"
import { pack } from "../matmul/_wasm_pack.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  type ModuleBuilder,
  select,
  set,
  type Target,
  v128,
  when,
} from "../wasm/assembler.ts"
import { loadLanes } from "../wasm/lanes.ts"

/** `count` rounded up to whole panels of eight. */
export const padded = (count: number): number => Math.ceil(count / COLUMNS) * COLUMNS
/** First element and lanes of the vectors that `count` neighbours fall into: 4, 4, ... and the rest. */
export const vectorsOf = (count: number): { readonly at: number; readonly lanes: number }[] =>
  Array.from({ length: Math.ceil(count / 4) }, (_, i) => ({ at: 4 * i, lanes: Math.min(4, count - 4 * i) }))

/** `index * by`. */
export const scaled = (index: Code, by: number): Code => i32.mul(index, i32.const(by))
/** The lesser of two; both are evaluated twice. */
export const minimum = (a: Code, b: Code): Code => select(a, b, i32.ltU(a, b))

/** How a few queries of one head are walked. */
export interface Panels {
  /** Number of panels of queries. */
  readonly count: number
  /** Queries in each, and in the last one. */
  readonly rows: number
  readonly lastRows: number
}
/** Cuts queries into panels that a micro-kernel takes. */
export const panelsOf = (queries: number): Panels => {
  const count = Math.ceil(queries / ROWS)
  const rows = Math.ceil(queries / Math.max(1, count))
  return { count, rows, lastRows: queries - (count - 1) * rows }
}

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

/**
 * Index of the function `(a, aStride, panels, panelBytes, k, columns, output, outputStride, more)`, all i32: a few rows of
 * `output` = a times `columns` columns in panels, added to what is there where `more` is not 0.
 *
 * @param layout How a lies: `depth`, k side by side (stride: from row to row); `across`, rows side by side.
 * @param tail What `columns` leaves beyond whole panels.
 */
export const rowsTimesPanels = (
  module: ModuleBuilder,
  target: Target,
  layout: "depth" | "across",
  rows: number,
  tail: number,
): number =>
  module.once(
    `attention_rows_${layout}_${rows}_${tail}_${target.relaxed}`,
    () =>
      module.func(
        `rows_${layout}_${rows}`,
        new Array(9).fill("i32"),
        [],
        (f, a, aStride, panels, panelBytes, k, columns, output, outputStride, more) => {
          const column = f.local("i32")
          const tile = (width: number): Code =>
            callFunction(
              microKernel(module, target, { a: layout, b: "panel", rows, width }),
              get(a),
              get(aStride),
              get(panels),
              i32.const(0),
              get(k),
              get(output),
              get(outputStride),
              get(more),
            )
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

/**
 * Index of the function `(mask, keys) -> (first, end)`, all i32: the panels of eight keys that some of `rows` queries
 * see lie between these keys; 0 and 0 where there is none.
 *
 * @param stride Of the mask from row to row, in elements.
 * @param keyStride Of the mask from key to key.
 * @param tail What `keys` leaves beyond whole panels.
 */
export const seenRange = (
  module: ModuleBuilder,
  { rows, stride, keyStride, tail }: { rows: number; stride: number; keyStride: number; tail: number },
): number =>
  module.once(
    `attention_seen_${rows}_${stride}_${keyStride}_${tail}`,
    () =>
      module.func("seen", ["i32", "i32"], ["i32", "i32"], (f, mask, keys) => {
        const [key, first, end, seen] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("v128")]
        const panel = (count: number): Code => [
          vectorsOf(count).flatMap(({ at, lanes }, i) =>
            Array.from({ length: stride === 0 ? 1 : rows }, (_, row): Code => {
              const vector = loadLanes(get(mask), keyStride, lanes, row * stride + at * keyStride)
              return set(seen, i === 0 && row === 0 ? vector : v128.or(get(seen), vector))
            })
          ),
          when(v128.anyTrue(get(seen)), [
            when(i32.eqz(get(end)), set(first, get(key))),
            set(end, i32.add(get(key), i32.const(COLUMNS))),
          ]),
        ]
        return [
          set(keys, i32.and(get(keys), i32.const(-COLUMNS))),
          forRange(key, i32.const(0), get(keys), COLUMNS, panel(COLUMNS), increase(mask, 4 * COLUMNS * keyStride)),
          tail === 0 ? [] : [set(key, get(keys)), panel(tail)],
          get(first),
          get(end),
        ]
      }),
  )

/** Calls a function of two results and keeps them. */
export const setPair = (first: number, second: number, pair: Code): Code => [set(second, pair), set(first, [])]

/** Adds to locals what an index means along an axis: `[local, bytes]` pairs. */
export const step = (index: Code, moves: ReadonlyArray<readonly [number, number]>): Code =>
  moves.filter(([, bytes]) => bytes !== 0).map(([local, bytes]) => increase(local, scaled(index, bytes)))

/** New i32 locals. */
export const integers = (f: FunctionScope, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, () => f.local("i32"))
