/**
 * What attention and its derivative have in common in WebAssembly: how queries are cut, and walks over them.
 * @module
 */
import type { View } from "../../contract.ts"
import type { AttentionGradientCall } from "../../attention_gradient/call.ts"
import { COLUMNS, ROWS, vectorsOf } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import {
  brIf,
  choose,
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  loop,
  memoryCopy,
  type ModuleBuilder,
  select,
  set,
  tee,
  when,
  whileTrue,
} from "../../wasm/assembler.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { storeLanes } from "../../wasm/lanes.ts"
import type { AttentionCall } from "../call.ts"

/** `count` rounded up to whole panels of eight. */
export const padded = (count: number): number => Math.ceil(count / COLUMNS) * COLUMNS
/** The lesser of two; both are evaluated twice. */
export const lesser = (a: Code, b: Code): Code => select(a, b, i32.ltU(a, b))

/** Rows cut into panels that a micro-kernel takes. */
export interface Panels {
  /** Number of panels. */
  readonly count: number
  /** Rows of a panel. */
  readonly rows: number
  /** How many have so many. */
  readonly full: number
  /** Rows of one more; 0: there is none. */
  readonly rest: number
}
/** Cuts rows into panels. */
export const panelsOf = (rows: number): Panels => {
  const most = Math.min(rows, ROWS), full = Math.floor(rows / Math.max(1, most)), rest = rows - full * most
  return { count: full + (rest > 0 ? 1 : 0), rows: most, full, rest }
}
/** The first row of a panel, or, for the one behind the last, their number. `panel` is evaluated several times. */
export const firstRow = ({ rows, full, rest }: Panels, panel: Code): Code =>
  rest === 0 ? scaled(panel, rows) : lesser(scaled(panel, rows), i32.const(full * rows + rest))
/** Code for a panel by its height. */
export const byHeight = ({ rows, full, rest }: Panels, panel: Code, body: (rows: number) => Code): Code =>
  rest === 0 ? body(rows) : when(i32.ltU(panel, i32.const(full)), body(rows), body(rest))

/** Sizes of a call. */
export interface Sizes extends Panels {
  readonly batch: number
  readonly shared: number
  readonly group: number
  readonly keys: number
  /** Of queries and keys, and of values. */
  readonly width: number
  readonly valueWidth: number
  /** What scores are multiplied by. */
  readonly scale: number
  /** Columns of a factor that repeats along the keys; else 0. */
  readonly period: number
}

/** Views with an axis of queries. */
const PER_QUERY: ReadonlySet<string> = new Set(["q", "bias", "factor", "output", "logSum", "cotangent", "delta", "dq"])
/** Where there is one query, the members of a group take its place: they meet the same keys. */
export const withQueries = <C extends AttentionCall | AttentionGradientCall>(call: C): C => {
  const [batch, , group, queries] = call.q.shape
  if (queries !== 1 || group === 1) return call
  const swapped = <A>(
    [batch, shared, group, query, ...rest]: ReadonlyArray<A>,
  ) => [batch, shared, query, group, ...rest]
  const views = Object.entries(call).map(([name, view]) =>
    PER_QUERY.has(name) && view !== undefined
      ? [name, { ...view, shape: swapped(view.shape), strides: swapped(view.strides) }]
      : [name, view]
  )
  const { queryPositions: at } = call
  const queryPositions = at && { ...at, shape: [batch, group], strides: [at.strides[0], 0] }
  return { ...Object.fromEntries(views), ...(queryPositions ? { queryPositions } : {}) }
}

/** How keys and values lie: strides in elements. */
interface KeyPlaces {
  readonly k: ReadonlyArray<number>
  readonly v: ReadonlyArray<number>
  readonly pages: ReadonlyArray<number> | undefined
  readonly pageKeys: number
}

/**
 * Walks keys from <= key < to that lie side by side, page by page; at least once, even where there are none.
 *
 * @param local Locals with the addresses of the entry's first key and value, or of those of the first page; of its pages.
 * @param body Code for a run of keys: its first one (a local), their number, the addresses of key and value.
 */
export const eachPage = (
  f: FunctionScope,
  { k, v, pages, pageKeys }: KeyPlaces,
  local: Readonly<Record<"k" | "v" | "pages", number>>,
  [from, to]: readonly [from: Code, to: Code],
  body: (key: number, count: Code, at: Readonly<Record<"k" | "v", Code>>) => Code,
): Code => {
  const [key, count, page, within] = integers(f, 4)
  const addressOf = (base: number, strides: ReadonlyArray<number>): Code =>
    pages === undefined ? i32.add(get(base), scaled(get(key), bytesAlong(strides, 2))) : i32.add(
      get(base),
      i32.add(scaled(get(page), bytesAlong(strides, 0)), scaled(get(within), bytesAlong(strides, 2))),
    )
  const run = body(key, get(count), { k: addressOf(local.k, k), v: addressOf(local.v, v) })
  if (pages === undefined) return [set(key, from), set(count, i32.sub(to, get(key))), run]
  return [
    set(key, from),
    loop([
      set(within, i32.remU(get(key), i32.const(pageKeys))),
      set(page, i32.divU(get(key), i32.const(pageKeys))),
      set(page, i32.load(i32.add(get(local.pages), scaled(get(page), bytesAlong(pages, 1))))),
      set(count, lesser(i32.sub(i32.const(pageKeys), get(within)), i32.sub(to, get(key)))),
      run,
      brIf(0, i32.ltU(tee(key, i32.add(get(key), get(count))), to)),
    ]),
  ]
}

/** Index of the function `(to, from, first, end)`, all i32: columns of keys first <= key < end of a factor that repeats. */
export const spreadFactor = (module: ModuleBuilder, period: number): number =>
  module.once(
    `attention_factor_${period}`,
    () =>
      module.func("attention_factor", new Array(4).fill("i32"), [], (f, to, from, key, end) => {
        const [column, bytes] = integers(f, 2)
        return whileTrue(i32.ltU(get(key), get(end)), [
          set(column, i32.remU(get(key), i32.const(period))),
          set(bytes, lesser(i32.sub(i32.const(period), get(column)), i32.sub(get(end), get(key)))),
          increase(key, get(bytes)),
          set(bytes, scaled(get(bytes), 4)),
          memoryCopy(get(to), i32.add(get(from), scaled(get(column), 4)), get(bytes)),
          increase(to, get(bytes)),
        ])
      }),
  )

/** Bytes of a range of keys: i32 first and end. */
export const RANGE_BYTES = 8

/**
 * For each strip of `size` keys, of `keys` in all, and each run of neighbouring panels that see some of them.
 *
 * @param table Address of the entries of `count` panels, as `seenKeys` makes them.
 * @param head Keys that all panels see. Default: 0.
 * @param body Code for a strip and a run: its first key, number of keys, first panel (a local) and number of panels.
 */
export const eachStrip = (
  f: FunctionScope,
  size: number,
  keys: number,
  { table, count, head = 0 }: Readonly<Record<"table" | "count", Code>> & { readonly head?: number },
  body: (key: Code, keys: Code, panel: number, panels: Code) => Code,
): Code => {
  const [key, end, panel, first, panels] = integers(f, 5)
  const entry = i32.add(table, scaled(get(panel), RANGE_BYTES))
  const inRange = i32.and(i32.ltU(i32.load(entry), get(end)), i32.gtU(i32.load(entry, 4), get(key)))
  const sees = head === 0 ? inRange : i32.or(inRange, i32.ltU(get(key), i32.const(head)))
  const next = i32.ltU(tee(panel, i32.add(get(panel), i32.const(1))), count)
  return forRange(key, i32.const(0), i32.const(keys), size, [
    set(end, lesser(i32.const(keys), i32.add(get(key), i32.const(size)))),
    set(panel, i32.const(0)),
    whileTrue(
      i32.ltU(get(panel), count),
      when(sees, [
        set(first, get(panel)),
        // As far as they see.
        loop(brIf(0, choose("i32", next, sees, i32.const(0)))),
        set(panels, i32.sub(get(panel), get(first))),
        body(get(key), i32.sub(get(end), get(key)), first, get(panels)),
      ], increase(panel, 1)),
    ),
  ])
}

/** Sets locals to the first and the end of what some of `count` panels see; both are 0 where none sees a key. */
export const unionOf = (
  f: FunctionScope,
  { table, count }: Readonly<Record<"table" | "count", Code>>,
  [first, end]: readonly [number, number],
): Code => {
  const [at, last] = integers(f, 2)
  const [from, to] = [i32.load(get(at)), i32.load(get(at), 4)]
  return [
    set(first, i32.const(-1)),
    set(end, i32.const(0)),
    set(last, i32.add(table, scaled(count, RANGE_BYTES))),
    forRange(
      at,
      table,
      get(last),
      RANGE_BYTES,
      when(i32.ltU(from, to), [
        set(first, lesser(get(first), from)),
        set(end, select(get(end), to, i32.gtU(get(end), to))),
      ]),
    ),
    set(first, lesser(get(first), get(end))),
  ]
}

/** Sets rows of an output, of `columns` neighbours each, to 0. */
export const zeroRows = (f: FunctionScope, first: Code, rows: Code, columns: number, stride: number): Code => {
  const [at, row] = integers(f, 2)
  return [
    set(at, first),
    forRange(row, i32.const(0), rows, 1, [
      vectorsOf(columns).map(({ at: place, lanes }) => storeLanes(get(at), 1, lanes, place, f32x4.const(0))),
      increase(at, stride),
    ]),
  ]
}

/** Address of a view's first element; 0 without a view. */
export const addressOf = (context: KernelContext, view: View | undefined): Code =>
  view === undefined ? i32.const(0) : i32.add(context.address(view.buffer), i32.const(4 * view.offset))

/** Bytes from one element to the next along an axis; 0 without a view. */
export const bytesAlong = (strides: ReadonlyArray<number> | undefined, axis: number): number =>
  4 * (strides?.[axis] ?? 0)

/** Adds to locals what an index means along an axis: `[local, bytes]` pairs. */
export const step = (index: Code, moves: ReadonlyArray<readonly [number, number]>): Code =>
  moves.filter(([, bytes]) => bytes !== 0).map(([local, bytes]) => increase(local, scaled(index, bytes)))

/** New i32 locals. */
export const integers = (f: FunctionScope, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, () => f.local("i32"))
