/**
 * Attention in WebAssembly. A panel of six queries meets all keys that one of them sees: its scores lie in the thread's
 * own scratch (a row of them is at hand as a whole, so nothing has to be corrected later), become weights there, and
 * meet the values. A thread packs the keys and values of a head once for all panels that it does in a run. In wide vectors
 * several panels go together, as a strip of keys or values is to meet many.
 *
 * A unit of work is a run of panels of one head. A query's result depends on its own scores alone.
 * @module
 */
import { keyOf } from "../collapse.ts"
import type { AttentionCall } from "./call.ts"
import { scaled } from "../matmul/wasm/operands.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  set,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import type { KernelContext, KernelEmitter } from "../wasm/kernel.ts"
import { type Addresses, BLOCK_PARAMETERS, blockFunction } from "./wasm/block.ts"
import {
  addressOf,
  byHeight,
  bytesAlong,
  eachPage,
  firstRow,
  integers,
  lesser,
  RANGE_BYTES,
  step,
  unionOf,
  withQueries,
} from "./wasm/parts.ts"
import { packColumns, STRIP } from "./wasm/products.ts"
import { type SeenKeys, seenKeys } from "./wasm/ranges.ts"
import { scratchOf, type Shape, shapeOf } from "./wasm/shape.ts"

/** Operands of the driver, an address each. */
const OPERANDS = BLOCK_PARAMETERS.filter((name) => name !== "bounds")
/** Those with an axis of queries. */
const PER_QUERY = ["q", "bias", "factor", "output", "logSum"] as const

/**
 * Index of the function `(begin, end, scratch, panels, queries, ...OPERANDS)`, all i32, that runs units; `panels` and
 * `queries` are the tables of {@link seenKeys}.
 */
const driver = (context: KernelContext, shape: Shape, { panelBytes, queryBytes }: SeenKeys): number => {
  const { module, target } = context
  const { shared, group, count, run, runs, block } = shape
  return module.once(
    keyOf(["attention", shape, panelBytes, queryBytes, target]),
    () =>
      module.func(
        "attention",
        new Array(5 + OPERANDS.length).fill("i32"),
        [],
        (f, begin, end, scratch, seen, bounds, ...given) => {
          const [index, entry, packed, ranges, panel, last, query, tiles] = integers(f, 8)
          const at = Object.fromEntries(BLOCK_PARAMETERS.map((name) => [name, f.local("i32")])) as Addresses
          const move = (index: Code, names: ReadonlyArray<typeof OPERANDS[number]>, axis: number): Code =>
            step(index, names.map((name) => [at[name], bytesAlong(shape[name], axis)]))
          const toQuery = (query: Code): Code => [
            move(query, PER_QUERY, 3),
            increase(at.bounds, scaled(query, RANGE_BYTES)),
          ]
          const rangeOf = i32.add(get(ranges), scaled(get(panel), RANGE_BYTES))
          const blockOf = (rows: number, count: Code): Code => [
            set(tiles, count),
            callFunction(
              blockFunction(context, shape, rows),
              get(scratch),
              rangeOf,
              get(tiles),
              ...BLOCK_PARAMETERS.map((name) => get(at[name])),
            ),
            increase(panel, get(tiles)),
            toQuery(scaled(get(tiles), rows)),
          ]
          const whole = lesser(
            i32.const(block),
            i32.sub(lesser(get(last), i32.const(shape.full)), get(panel)),
          )
          return forRange(begin, get(begin), get(end), 1, [
            set(at.bounds, get(bounds)),
            OPERANDS.map((name, i) => set(at[name], get(given[i]))),
            set(panel, scaled(i32.remU(get(begin), i32.const(runs)), run)),
            set(entry, i32.divU(get(begin), i32.const(runs))),
            move(i32.remU(get(entry), i32.const(group)), PER_QUERY, 2),
            set(entry, i32.divU(get(entry), i32.const(group))),
            move(i32.remU(get(entry), i32.const(shared)), [...PER_QUERY, "k", "v"], 1),
            set(index, i32.divU(get(entry), i32.const(shared))),
            move(
              get(index),
              [...PER_QUERY, ...shape.pages === undefined ? ["k", "v"] as const : ["pages"] as const],
              0,
            ),
            step(get(index), [[at.bounds, queryBytes]]),
            set(ranges, i32.add(get(seen), scaled(get(index), panelBytes))),
            set(query, firstRow(shape, get(panel))),
            toQuery(get(query)),
            increase(entry, 1),
            set(last, lesser(i32.const(count), i32.add(get(panel), i32.const(run)))),
            shape.packs
              ? packSeen({ context, f, shape, scratch, at, entry, packed }, {
                table: rangeOf,
                count: i32.sub(get(last), get(panel)),
              })
              : [],
            whileTrue(
              i32.ltU(get(panel), get(last)),
              byHeight(shape, get(panel), (rows) => blockOf(rows, rows === shape.rows ? whole : i32.const(1))),
            ),
          ])
        },
      ),
  )
}

/** Packs what a unit's panels see, in whole strips; units of a head go on from what is packed. */
const packSeen = (
  { context: { module }, f, shape, scratch, at, entry, packed }: {
    readonly context: KernelContext
    readonly f: FunctionScope
    readonly shape: Shape
    readonly at: Addresses
    /** Locals: address of the scratch, number of the keys and values, and of those that are packed. */
    readonly scratch: number
    readonly entry: number
    readonly packed: number
  },
  panels: Readonly<Record<"table" | "count", Code>>,
): Code => {
  const { keys, width, valueWidth, head } = shape
  const lies = scratchOf(shape)
  const [first, until, from, to] = integers(f, 4)
  const otherEntry = i32.ne(get(entry), get(packed))
  const packKeys = (from: Code, to: Code): Code =>
    eachPage(f, shape, at, [from, to], (key, count, place) => [
      callFunction(
        packColumns(module, "depth", keys % 8),
        place.k,
        i32.const(bytesAlong(shape.k, 2)),
        i32.const(width),
        count,
        i32.add(i32.add(get(scratch), i32.const(lies.k)), scaled(get(key), 4 * width)),
        i32.const(32 * width),
      ),
      callFunction(
        packColumns(module, "across", valueWidth % 8),
        place.v,
        i32.const(bytesAlong(shape.v, 2)),
        count,
        i32.const(valueWidth),
        i32.add(i32.add(get(scratch), i32.const(lies.v)), scaled(get(key), 32)),
        i32.const(32 * keys),
      ),
    ])
  return [
    head === 0 ? [] : when(otherEntry, packKeys(i32.const(0), i32.const(head))),
    unionOf(f, panels, [first, until]),
    set(first, i32.and(get(first), i32.const(-STRIP))),
    set(until, lesser(i32.and(i32.add(get(until), i32.const(STRIP - 1)), i32.const(-STRIP)), i32.const(keys))),
    when(
      i32.or(otherEntry, i32.or(i32.ltU(get(first), get(from)), i32.gtU(get(first), get(to)))),
      [set(packed, get(entry)), set(from, get(first)), set(to, get(first))],
    ),
    when(i32.gtU(get(until), get(to)), [packKeys(get(to), get(until)), set(to, get(until))]),
  ]
}

/** Emits `attention`: which keys are seen, then the rest. */
export const emitAttention: KernelEmitter<AttentionCall> = (given, context) => {
  const call = withQueries(given)
  const shape = shapeOf(call, context.target)
  const units = shape.batch * shape.shared * shape.group * shape.runs
  if (units === 0) return []
  const queries = call.q.shape[3], together = given.q.shape[3] === 1
  const seen = seenKeys(context, shape, call, { batch: shape.batch, queries, keys: shape.keys, together })
  const func = driver(context, shape, seen)
  const scratch = context.threadScratch(scratchOf(shape).bytes)
  const operands = OPERANDS.map((name) => addressOf(context, call[name]))
  const run = (begin: Code, end: Code): Code =>
    callFunction(func, begin, end, scratch, seen.panels, seen.queries, ...operands)
  return [seen.stage, { units, run }]
}
