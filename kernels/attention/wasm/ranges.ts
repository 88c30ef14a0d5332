/**
 * The keys that queries see, in WebAssembly: ranges by arithmetic, made once a call.
 * @module
 */
import { keyOf } from "../../collapse.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  get,
  i32,
  increase,
  type ModuleBuilder,
  select,
  set,
  when,
  whileTrue,
} from "../../wasm/assembler.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type Stage } from "../../wasm/kernel.ts"
import { apartOf } from "../apart.ts"
import { COLUMNS } from "../../matmul/wasm/micro_kernel.ts"
import { STRIP } from "./products.ts"
import { addressOf, byHeight, bytesAlong, firstRow, integers, type Panels, RANGE_BYTES } from "./parts.ts"
import type { Visibility } from "../call.ts"

/**
 * First keys, in whole strips, that all panels meet apart from their ranges, so that a gap between them costs nothing; 0
 * where ranges begin with the first key.
 */
export const headOf = (visibility: Visibility, keys: number): number => {
  const head = Math.ceil(apartOf(visibility) / STRIP) * STRIP
  return head < keys - keys % COLUMNS ? head : 0
}

/** For each panel of queries, and for each query, the range of keys that it sees. */
export interface SeenKeys {
  /** Makes the tables, before any query is worked on. */
  readonly stage: Stage
  /** Address of the ranges of panels, and bytes from one entry of the batch to the next; 0 where all see the same. */
  readonly panels: Code
  readonly panelBytes: number
  /** The same of queries. */
  readonly queries: Code
  readonly queryBytes: number
}

/** How visibility is computed: no buffers. */
interface Rule extends Panels {
  readonly queries: number
  readonly prefix: number
  readonly head: number
  /** Keys after the prefix. */
  readonly keys: number
  readonly causal: boolean
  readonly window: number | undefined
  /** Queries are members of a group at one position. */
  readonly together: boolean
  readonly queryPositions: ReadonlyArray<number> | undefined
  readonly keyLengths: ReadonlyArray<number> | undefined
  readonly segments: ReadonlyArray<number> | undefined
}

const least = (a: Code, b: Code): Code => select(a, b, i32.ltS(a, b))
const most = (a: Code, b: Code): Code => select(a, b, i32.gtS(a, b))

/** Makes the ranges of `queries` queries, which `panels` cut, and `keys` keys. */
export const seenKeys = (
  context: KernelContext,
  panels: Panels,
  visibility: Visibility,
  { batch, queries, keys, together }: Readonly<Record<"batch" | "queries" | "keys", number>> & {
    readonly together: boolean
  },
): SeenKeys => {
  const { prefix, causal, window, queryPositions, keyLengths, segments } = visibility
  const head = headOf(visibility, keys)
  const tables = [queryPositions, keyLengths, segments]
  const entries = tables.every((view) => view === undefined || view.strides[0] === 0) ? Math.min(1, batch) : batch
  const panelBytes = RANGE_BYTES * panels.count, queryBytes = RANGE_BYTES * queries
  const [panelTable, queryTable] = [panelBytes, queryBytes].map((bytes) => context.sharedScratch(bytes * entries))
  const { count, rows, full, rest } = panels
  const func = rangesFunction(context.module, {
    ...{ count, rows, full, rest, queries, prefix, head, keys: keys - prefix, causal, window, together },
    queryPositions: queryPositions?.strides,
    keyLengths: keyLengths?.strides,
    segments: segments?.strides,
  })
  const items = entries * count
  const operands = [...tables.map((view) => addressOf(context, view)), panelTable, queryTable]
  const stage = groupedStage(
    items,
    itemsPerUnit(items, 8 * rows),
    (begin, end) => callFunction(func, begin, end, ...operands),
  )
  const alone = entries < 2
  return {
    stage,
    panels: panelTable,
    panelBytes: alone ? 0 : panelBytes,
    queries: queryTable,
    queryBytes: alone ? 0 : queryBytes,
  }
}

/** Index of the function `(begin, end, queryPositions, keyLengths, segments, panels, queries)`, all i32: panels of all entries. */
const rangesFunction = (module: ModuleBuilder, rule: Rule): number => {
  const { queries, count, prefix, head, keys, causal, window, together, queryPositions, keyLengths, segments } = rule
  const fromFirst = head === 0 && apartOf(rule) > 0
  return module.once(
    keyOf(["attention_ranges", rule]),
    () =>
      module.func(
        "attention_ranges",
        new Array(7).fill("i32"),
        [],
        (f, begin, end, positions, lengths, segmentRow, panelTable, queryTable) => {
          const [entry, panel, query, height, at, position, first, last, from, to] = integers(f, 10)
          const [low, high, middle, own] = integers(f, 4)
          const atEntry = (base: number, strides: ReadonlyArray<number> | undefined): Code =>
            i32.add(get(base), scaled(get(entry), bytesAlong(strides, 0)))
          const segmentOf = (key: Code): Code =>
            i32.load(i32.add(atEntry(segmentRow, segments), scaled(key, bytesAlong(segments, 1))))
          /** Sets `low` to the first key of a segment not less than (or beyond) the query's own. */
          const search = (beyond: boolean): Code => [
            set(low, i32.const(0)),
            set(high, i32.const(keys)),
            whileTrue(
              i32.ltS(get(low), get(high)),
              set(middle, i32.shrU(i32.add(get(low), get(high)), i32.const(1))),
              when(
                (beyond ? i32.leS : i32.ltS)(segmentOf(get(middle)), get(own)),
                set(low, i32.add(get(middle), i32.const(1))),
                set(high, get(middle)),
              ),
            ),
          ]
          const range: Code = [
            set(
              position,
              queryPositions === undefined ? together ? i32.const(0) : get(query) : i32.load(
                i32.add(atEntry(positions, queryPositions), scaled(get(query), bytesAlong(queryPositions, 1))),
              ),
            ),
            set(from, i32.const(0)),
            set(to, i32.const(keys)),
            causal ? set(to, least(get(to), i32.add(get(position), i32.const(1)))) : [],
            window === undefined ? [] : [
              set(from, most(get(from), i32.sub(get(position), i32.const(window - 1)))),
              causal ? [] : set(to, least(get(to), i32.add(get(position), i32.const(window)))),
            ],
            keyLengths === undefined ? [] : set(to, least(get(to), i32.load(atEntry(lengths, keyLengths)))),
            segments === undefined || keys === 0 ? [] : [
              set(own, segmentOf(most(i32.const(0), least(get(position), i32.const(keys - 1))))),
              search(false),
              set(from, most(get(from), get(low))),
              search(true),
              set(to, least(get(to), get(low))),
            ],
            when(i32.leS(get(to), get(from)), [set(from, i32.const(0)), set(to, i32.const(0))]),
            // A range that begins with the sequence begins with the prefix too.
            prefix === 0 ? [] : [
              when(i32.gtS(get(from), i32.const(0)), increase(from, prefix)),
              increase(to, prefix),
            ],
          ]
          return forRange(begin, get(begin), get(end), 1, [
            set(entry, i32.divU(get(begin), i32.const(count))),
            set(panel, i32.remU(get(begin), i32.const(count))),
            set(query, firstRow(rule, get(panel))),
            byHeight(rule, get(panel), (rows) => set(height, i32.add(get(query), i32.const(rows)))),
            set(at, i32.add(get(queryTable), scaled(i32.add(get(query), scaled(get(entry), queries)), RANGE_BYTES))),
            set(first, i32.const(prefix + keys)),
            set(last, i32.const(0)),
            forRange(query, get(query), get(height), 1, [
              range,
              i32.store(get(at), get(from)),
              i32.store(get(at), get(to), 4),
              increase(at, RANGE_BYTES),
              when(i32.ltS(get(from), get(to)), [
                set(first, least(get(first), fromFirst ? i32.const(0) : get(from))),
                set(last, most(get(last), get(to))),
              ]),
            ]),
            set(first, least(get(first), get(last))),
            head === 0 ? [] : [first, last].map((bound) => set(bound, most(get(bound), i32.const(head)))),
            set(at, i32.add(get(panelTable), scaled(get(begin), RANGE_BYTES))),
            i32.store(get(at), i32.and(get(first), i32.const(-8))),
            i32.store(get(at), i32.and(i32.add(get(last), i32.const(7)), i32.const(-8)), 4),
          ])
        },
      ),
  )
}
