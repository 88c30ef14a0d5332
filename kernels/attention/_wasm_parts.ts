/**
 * What attention and its derivative have in common in WebAssembly: how queries are cut, and which keys they see.
 * @module
 */
import type { View } from "../contract.ts"
import type { AttentionCall } from "./call.ts"
import type { AttentionGradientCall } from "../attention_gradient/call.ts"
import { COLUMNS, ROWS, vectorsOf } from "../matmul/_wasm_micro_kernel.ts"
import { scaled } from "../matmul/_wasm_operands.ts"
import {
  brIf,
  call as callFunction,
  choose,
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  i32x4,
  increase,
  loop,
  type ModuleBuilder,
  select,
  set,
  tee,
  v128,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type Stage } from "../wasm/kernel.ts"
import { loadLanes, storeLanes } from "../wasm/lanes.ts"

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

/** Bytes of an entry of {@link seenKeys}: first, clear, end and nothing. */
export const RANGE_BYTES = 16

/** For each panel of queries the keys that it sees. */
export interface SeenKeys {
  /** Finds them, before any query is worked on. */
  readonly stage: Stage
  /** Address of the table: of each entry of the batch, for each panel, i32 `first <= clear <= end`. */
  readonly table: Code
  /** Bytes from one entry of the batch to the next; 0 where one mask serves all. */
  readonly batchBytes: number
}

/**
 * For each panel of queries the range of keys that some of its queries see, and from which key on not all of them do; in
 * steps of eight keys, all 0 where there is none. Found once a call: heads and units of work have it in common.
 */
export const seenKeys = (context: KernelContext, panels: Panels, mask: View): SeenKeys => {
  const [batch, , keys] = mask.shape, [batchStride, rowStride] = mask.strides
  const entries = batchStride === 0 ? 1 : batch
  const table = context.sharedScratch(RANGE_BYTES * panels.count * entries)
  const func = scan(context.module, panels, keys, mask.strides)
  const first = i32.add(context.address(mask.buffer), i32.const(4 * mask.offset))
  const items = entries * panels.count
  const work = keys * (rowStride === 0 ? 1 : panels.rows)
  const stage = groupedStage(
    items,
    itemsPerUnit(items, work),
    (begin, end) => callFunction(func, begin, end, first, table),
  )
  return { stage, table, batchBytes: entries === 1 ? 0 : RANGE_BYTES * panels.count }
}

/** Index of the function `(begin, end, mask, table)`, all i32: panels of queries, those of one entry after another. */
const scan = (module: ModuleBuilder, panels: Panels, keys: number, strides: ReadonlyArray<number>): number => {
  const [batchStride, rowStride, keyStride] = strides
  return module.once(
    `attention_scan_${[panels.count, panels.rows, panels.rest, keys, batchStride, rowStride, keyStride]}`,
    () =>
      module.func("attention_scan", ["i32", "i32", "i32", "i32"], [], (f, begin, to, base, table) => {
        const [panel, mask, row, rows, at, key, first, clear, end] = integers(f, 9)
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
        return [
          increase(table, scaled(get(begin), RANGE_BYTES)),
          forRange(begin, get(begin), get(to), 1, [
            set(panel, i32.remU(get(begin), i32.const(panels.count))),
            set(mask, i32.add(get(base), scaled(i32.divU(get(begin), i32.const(panels.count)), 4 * batchStride))),
            increase(mask, scaled(firstRow(panels, get(panel)), 4 * rowStride)),
            byHeight(panels, get(panel), (height) => set(rows, i32.const(height))),
            [first, clear, end].map((local) => set(local, i32.const(0))),
            forRange(key, i32.const(0), i32.const(whole), COLUMNS, look(COLUMNS)),
            whole === keys ? [] : [set(key, i32.const(whole)), look(keys - whole)],
            [first, clear, end].map((local, i) => i32.store(get(table), get(local), 4 * i)),
            increase(table, RANGE_BYTES),
          ]),
        ]
      }),
  )
}

/**
 * For each strip of `size` keys, of `keys` in all, and each run of neighbouring panels that see some of them.
 *
 * @param table Address of the entries of `count` panels, as {@link seenKeys} makes them.
 * @param body Code for a strip and a run: its first key, number of keys, first panel (a local) and number of panels.
 */
export const eachStrip = (
  f: FunctionScope,
  size: number,
  keys: number,
  { table, count }: Readonly<Record<"table" | "count", Code>>,
  body: (key: Code, keys: Code, panel: number, panels: Code) => Code,
): Code => {
  const [key, end, panel, first, panels] = integers(f, 5)
  const entry = i32.add(table, scaled(get(panel), RANGE_BYTES))
  const sees = i32.and(i32.ltU(i32.load(entry), get(end)), i32.gtU(i32.load(entry, 8), get(key)))
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

/** Bytes from one element to the next along an axis; 0 without a view. */
export const bytesAlong = (strides: ReadonlyArray<number> | undefined, axis: number): number =>
  4 * (strides?.[axis] ?? 0)

/** Adds to locals what an index means along an axis: `[local, bytes]` pairs. */
export const step = (index: Code, moves: ReadonlyArray<readonly [number, number]>): Code =>
  moves.filter(([, bytes]) => bytes !== 0).map(([local, bytes]) => increase(local, scaled(index, bytes)))

/** New i32 locals. */
export const integers = (f: FunctionScope, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, () => f.local("i32"))
