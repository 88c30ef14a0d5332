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
import { scaled } from "../matmul/_wasm_operands.ts"
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
import { blockFunction } from "./_wasm_block.ts"
import {
  byHeight,
  bytesAlong,
  firstRow,
  integers,
  lesser,
  RANGE_BYTES,
  seenKeys,
  step,
  withQueries,
} from "./_wasm_parts.ts"
import { packColumns } from "./_wasm_products.ts"
import { scratchOf, type Shape, shapeOf } from "./_wasm_shape.ts"

/**
 * Index of the function `(begin, end, scratch, seen, q, k, v, mask, factor, output, logSum)`, all i32, that runs units;
 * `seen` is the table of {@link seenKeys}.
 */
const driver = (context: KernelContext, shape: Shape, batchBytes: number): number => {
  const { module, target } = context
  const { shared, group, keys, width, valueWidth, count, run, runs, block } = shape
  const lies = scratchOf(shape)
  return module.once(
    keyOf(["attention", shape, batchBytes, target]),
    () =>
      module.func(
        "attention",
        new Array(11).fill("i32"),
        [],
        (f, begin, end, scratch, seen, q, k, v, mask, factor, output, logSum) => {
          const [index, entry, packed, ranges, panel, last, query, tiles] = integers(f, 8)
          const [q0, k0, v0, mask0, factor0, output0, logSum0] = integers(f, 7)
          const perQuery = [
            [q0, shape.q],
            [factor0, shape.factor],
            [output0, shape.output],
            [logSum0, shape.logSum],
          ] as const
          const perKey = [[k0, shape.k], [v0, shape.v]] as const
          const moves = (axis: number, views: ReadonlyArray<readonly [number, ReadonlyArray<number> | undefined]>) =>
            views.map(([local, strides]) => [local, bytesAlong(strides, axis)] as const)
          const blockOf = (rows: number, count: Code): Code => [
            set(tiles, count),
            callFunction(
              blockFunction(context, shape, rows),
              get(scratch),
              i32.add(get(ranges), scaled(get(panel), RANGE_BYTES)),
              get(tiles),
              get(q0),
              get(k0),
              get(v0),
              get(mask0),
              get(factor0),
              get(output0),
              get(logSum0),
            ),
            increase(panel, get(tiles)),
            step(scaled(get(tiles), rows), [...moves(3, perQuery), [mask0, bytesAlong(shape.mask, 1)]]),
          ]
          const whole = lesser(
            i32.const(block),
            i32.sub(lesser(get(last), i32.const(shape.full)), get(panel)),
          )
          return forRange(begin, get(begin), get(end), 1, [
            [[q0, q], [k0, k], [v0, v], [mask0, mask], [factor0, factor], [output0, output], [logSum0, logSum]]
              .map(([to, from]) => set(to, get(from))),
            set(panel, scaled(i32.remU(get(begin), i32.const(runs)), run)),
            set(entry, i32.divU(get(begin), i32.const(runs))),
            set(index, i32.remU(get(entry), i32.const(group))),
            set(entry, i32.divU(get(entry), i32.const(group))),
            step(get(index), moves(2, perQuery)),
            set(index, i32.remU(get(entry), i32.const(shared))),
            step(get(index), [...moves(1, perQuery), ...moves(1, perKey)]),
            set(index, i32.divU(get(entry), i32.const(shared))),
            step(get(index), [...moves(0, perQuery), ...moves(0, perKey), [mask0, bytesAlong(shape.mask, 0)]]),
            set(ranges, i32.add(get(seen), scaled(get(index), batchBytes))),
            set(query, firstRow(shape, get(panel))),
            step(get(query), [...moves(3, perQuery), [mask0, bytesAlong(shape.mask, 1)]]),
            increase(entry, 1),
            shape.packs
              ? when(i32.ne(get(entry), get(packed)), [
                set(packed, get(entry)),
                callFunction(
                  packColumns(module, "depth", keys % 8),
                  get(k0),
                  i32.const(bytesAlong(shape.k, 2)),
                  i32.const(width),
                  i32.const(keys),
                  i32.add(get(scratch), i32.const(lies.k)),
                ),
                callFunction(
                  packColumns(module, "across", valueWidth % 8),
                  get(v0),
                  i32.const(bytesAlong(shape.v, 2)),
                  i32.const(keys),
                  i32.const(valueWidth),
                  i32.add(get(scratch), i32.const(lies.v)),
                ),
              ])
              : [],
            set(last, lesser(i32.const(count), i32.add(get(panel), i32.const(run)))),
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
  const seen = seenKeys(context, shape, call.mask)
  const func = driver(context, shape, seen.batchBytes)
  const scratch = context.threadScratch(scratchOf(shape).bytes)
  const operands = [call.q, call.k, call.v, call.mask, call.factor, call.output, call.logSum].map((view) =>
    view === undefined ? i32.const(0) : i32.add(context.address(view.buffer), i32.const(4 * view.offset))
  )
  return [seen.stage, { units, run: (begin, end) => callFunction(func, begin, end, scratch, seen.table, ...operands) }]
}
