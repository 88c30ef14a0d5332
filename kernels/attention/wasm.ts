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
  get,
  i32,
  increase,
  set,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import type { KernelContext, KernelEmitter } from "../wasm/kernel.ts"
import { blockFunction } from "./wasm/block.ts"
import {
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

/**
 * Index of the function `(begin, end, scratch, panels, queries, q, k, v, pages, bias, factor, output, logSum)`, all i32, that
 * runs units; `panels` and `queries` are the tables of {@link seenKeys}.
 */
const driver = (context: KernelContext, shape: Shape, { panelBytes, queryBytes }: SeenKeys): number => {
  const { module, target } = context
  const { shared, group, keys, width, valueWidth, count, run, runs, block } = shape
  const lies = scratchOf(shape)
  return module.once(
    keyOf(["attention", shape, panelBytes, queryBytes, target]),
    () =>
      module.func(
        "attention",
        new Array(13).fill("i32"),
        [],
        (f, begin, end, scratch, seen, bounds, q, k, v, pages, bias, factor, output, logSum) => {
          const [first, until, from, to] = integers(f, 4)
          const [index, entry, packed, ranges, panel, last, query, tiles] = integers(f, 8)
          const [q0, k0, v0, pages0, bounds0, bias0, factor0, output0, logSum0] = integers(f, 9)
          const perQuery = [
            [q0, shape.q],
            [bias0, shape.bias],
            [factor0, shape.factor],
            [output0, shape.output],
            [logSum0, shape.logSum],
          ] as const
          const perKey = [[k0, shape.k], [v0, shape.v]] as const
          const moves = (axis: number, views: ReadonlyArray<readonly [number, ReadonlyArray<number> | undefined]>) =>
            views.map(([local, strides]) => [local, bytesAlong(strides, axis)] as const)
          const rangeOf = (panel: number): Code => i32.add(get(ranges), scaled(get(panel), RANGE_BYTES))
          const blockOf = (rows: number, count: Code): Code => [
            set(tiles, count),
            callFunction(
              blockFunction(context, shape, rows),
              get(scratch),
              rangeOf(panel),
              get(tiles),
              get(q0),
              get(k0),
              get(v0),
              get(pages0),
              get(bounds0),
              get(bias0),
              get(factor0),
              get(output0),
              get(logSum0),
            ),
            increase(panel, get(tiles)),
            step(scaled(get(tiles), rows), [...moves(3, perQuery), [bounds0, RANGE_BYTES]]),
          ]
          const whole = lesser(
            i32.const(block),
            i32.sub(lesser(get(last), i32.const(shape.full)), get(panel)),
          )
          /** Packs what the unit's panels see, in whole strips; units of a head go on from what is packed. */
          const pack: Code = [
            unionOf(f, { table: rangeOf(panel), count: i32.sub(get(last), get(panel)) }, [first, until]),
            set(first, i32.and(get(first), i32.const(-STRIP))),
            set(until, lesser(i32.and(i32.add(get(until), i32.const(STRIP - 1)), i32.const(-STRIP)), i32.const(keys))),
            when(
              i32.or(
                i32.ne(get(entry), get(packed)),
                i32.or(i32.ltU(get(first), get(from)), i32.gtU(get(first), get(to))),
              ),
              [set(packed, get(entry)), set(from, get(first)), set(to, get(first))],
            ),
            when(i32.gtU(get(until), get(to)), [
              eachPage(f, shape, { k: k0, v: v0, pages: pages0 }, [get(to), get(until)], (key, count, at) => [
                callFunction(
                  packColumns(module, "depth", keys % 8),
                  at.k,
                  i32.const(bytesAlong(shape.k, 2)),
                  i32.const(width),
                  count,
                  i32.add(i32.add(get(scratch), i32.const(lies.k)), scaled(get(key), 4 * width)),
                  i32.const(32 * width),
                ),
                callFunction(
                  packColumns(module, "across", valueWidth % 8),
                  at.v,
                  i32.const(bytesAlong(shape.v, 2)),
                  count,
                  i32.const(valueWidth),
                  i32.add(i32.add(get(scratch), i32.const(lies.v)), scaled(get(key), 32)),
                  i32.const(32 * keys),
                ),
              ]),
              set(to, get(until)),
            ]),
          ]
          return forRange(begin, get(begin), get(end), 1, [
            [[q0, q], [k0, k], [v0, v], [pages0, pages], [bounds0, bounds], [bias0, bias], [factor0, factor], [
              output0,
              output,
            ], [
              logSum0,
              logSum,
            ]]
              .map(([own, base]) => set(own, get(base))),
            set(panel, scaled(i32.remU(get(begin), i32.const(runs)), run)),
            set(entry, i32.divU(get(begin), i32.const(runs))),
            set(index, i32.remU(get(entry), i32.const(group))),
            set(entry, i32.divU(get(entry), i32.const(group))),
            step(get(index), moves(2, perQuery)),
            set(index, i32.remU(get(entry), i32.const(shared))),
            step(get(index), [...moves(1, perQuery), ...moves(1, perKey)]),
            set(index, i32.divU(get(entry), i32.const(shared))),
            step(get(index), [
              ...moves(0, perQuery),
              ...shape.pages === undefined ? moves(0, perKey) : moves(0, [[pages0, shape.pages]]),
              [bounds0, queryBytes],
            ]),
            set(ranges, i32.add(get(seen), scaled(get(index), panelBytes))),
            set(query, firstRow(shape, get(panel))),
            step(get(query), [...moves(3, perQuery), [bounds0, RANGE_BYTES]]),
            increase(entry, 1),
            set(last, lesser(i32.const(count), i32.add(get(panel), i32.const(run)))),
            shape.packs ? pack : [],
            whileTrue(
              i32.ltU(get(panel), get(last)),
              byHeight(shape, get(panel), (rows) => blockOf(rows, rows === shape.rows ? whole : i32.const(1))),
            ),
          ])
        },
      ),
  )
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
  const operands = [call.q, call.k, call.v, call.pages, call.bias, call.factor, call.output, call.logSum].map((view) =>
    view === undefined ? i32.const(0) : i32.add(context.address(view.buffer), i32.const(4 * view.offset))
  )
  const run = (begin: Code, end: Code): Code =>
    callFunction(func, begin, end, scratch, seen.panels, seen.queries, ...operands)
  return [seen.stage, { units, run }]
}
