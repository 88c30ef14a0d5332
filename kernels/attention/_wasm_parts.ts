/**
 * What attention and its derivative have in common in WebAssembly: how queries are cut, and which keys they see.
 * @module
 */
import type { AttentionCall, AttentionGradientCall, View } from "../contract.ts"
import { COLUMNS, ROWS, vectorsOf } from "../matmul/_wasm_micro_kernel.ts"
import { scaled } from "../matmul/_wasm_operands.ts"
import {
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  i32x4,
  increase,
  type ModuleBuilder,
  select,
  set,
  v128,
  when,
} from "../wasm/assembler.ts"
import { loadLanes } from "../wasm/lanes.ts"

/** `count` rounded up to whole panels of eight. */
export const padded = (count: number): number => Math.ceil(count / COLUMNS) * COLUMNS
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

/** Bytes of an entry of the table of {@link scan}: first, clear, end and nothing. */
export const RANGE_BYTES = 16

/**
 * Index of the function `(mask, table)`, both i32: for each panel of queries the range of keys that some of its queries
 * see, and from which key on not all of them do; i32 `first <= clear <= end` in steps of eight keys, all 0 where
 * there is none.
 *
 * @param strides Of the mask.
 */
export const scan = (module: ModuleBuilder, panels: Panels, keys: number, strides: ReadonlyArray<number>): number => {
  const [, rowStride, keyStride] = strides
  return module.once(
    `attention_scan_${[panels.count, panels.rows, panels.full, keys, rowStride, keyStride]}`,
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
