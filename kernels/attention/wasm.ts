/**
 * Attention in WebAssembly. A panel of six queries meets all keys that one of them sees: its scores lie in the thread's
 * own scratch (a row of them is at hand as a whole, so nothing has to be corrected later), become weights there, and
 * meet the values. Keys and values of a head are packed once for all its panels. In wide vectors several panels go
 * together, as a strip of keys or values is to meet many.
 *
 * A unit of work is a run of panels of one head. A query's result depends on its own scores alone.
 * @module
 */
import { HIDDEN, NOTHING } from "../../core/tensor/composites/attention.ts"
import { keyOf } from "../collapse.ts"
import type { AttentionCall } from "../contract.ts"
import { COLUMNS, ROWS, vectorsOf } from "../matmul/_wasm_micro_kernel.ts"
import { scaled } from "../matmul/_wasm_operands.ts"
import { STRIP_COLUMNS } from "../matmul/_wasm_strip_kernel.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  madd,
  set,
  v128,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import type { KernelContext, KernelEmitter } from "../wasm/kernel.ts"
import { loadLanes, storeLanes } from "../wasm/lanes.ts"
import { vectorUnary } from "../wasm/vector_math.ts"
import {
  byHeight,
  eachRun,
  firstRow,
  integers,
  minimum,
  padded,
  type Panels,
  panelsOf,
  RANGE_BYTES,
  seenKeys,
  step,
  withQueries,
} from "./_wasm_parts.ts"
import { packPanels, rowsTimesKeys, rowsTimesPanels, STRIP, tilesTimesPanels } from "./_wasm_products.ts"
import { constants, powerOfTwo } from "./_wasm_power.ts"

/** With so many panels of queries in all, keys and values are not worth packing. */
const FEW_PANELS = 2
/** Most panels that are worked on together, in wide vectors; their scores, so many bytes, stay in the second-level cache. */
const BLOCK = 16, BLOCK_BYTES = 1 << 18
/** Heads are cut into runs of panels until there are so many units, to occupy many threads. */
const UNITS = 32

/** A call as numbers: strides in elements, no buffers. */
interface Shape extends Panels {
  readonly batch: number
  readonly shared: number
  readonly group: number
  readonly keys: number
  readonly width: number
  readonly valueWidth: number
  readonly scale: number
  /** Whether keys and values are packed. */
  readonly packs: boolean
  /** Panels of a unit, and units of a head. */
  readonly run: number
  readonly runs: number
  /** Most panels that are worked on together. */
  readonly block: number
  /** Bytes of a row of scores. */
  readonly rowBytes: number
  readonly q: ReadonlyArray<number>
  readonly k: ReadonlyArray<number>
  readonly v: ReadonlyArray<number>
  readonly mask: ReadonlyArray<number>
  readonly factor: ReadonlyArray<number> | undefined
  readonly output: ReadonlyArray<number>
  readonly logSum: ReadonlyArray<number> | undefined
}

const shapeOf = ({ q, k, v, mask, factor, output, logSum, scale }: AttentionCall, wide: boolean): Shape => {
  const [batch, shared, group, queries, width] = q.shape
  const panels = panelsOf(queries)
  const heads = batch * shared * group
  const run = Math.max(1, Math.ceil(panels.count / Math.ceil(UNITS / Math.max(1, heads))))
  const keys = k.shape[2]
  // In place, values are walked by their address.
  const packs = group * panels.count > FEW_PANELS || v.strides[2] <= 0
  // A cache line more than the keys: rows must not fall on the same lines.
  const rowBytes = 4 * padded(keys) + 64
  const most = Math.max(1, Math.min(BLOCK, run, Math.floor(BLOCK_BYTES / (ROWS * rowBytes))))
  return {
    ...panels,
    batch,
    shared,
    group,
    keys,
    width,
    valueWidth: v.shape[3],
    scale,
    packs,
    run,
    runs: Math.ceil(panels.count / run),
    block: wide && packs && panels.rows === ROWS ? most : 1,
    rowBytes,
    q: q.strides,
    k: k.strides,
    v: v.strides,
    mask: mask.strides,
    factor: factor?.strides,
    output: output.strides,
    logSum: logSum?.strides,
  }
}

/** What a panel keeps of the sums of its rows: their greatest scores, then their sums. */
const STATS_BYTES = 64

/** Where things lie in a thread's scratch, in bytes. */
const scratchOf = ({ keys, width, valueWidth, packs, block, rowBytes }: Shape) => {
  const k = 0
  const v = k + (packs ? 4 * padded(keys) * width : 0)
  const scores = v + (packs ? 4 * keys * padded(valueWidth) : 0)
  const stats = scores + block * ROWS * rowBytes
  return { k, v, scores, stats, bytes: stats + block * STATS_BYTES }
}

/**
 * Index of the function `(scores, mask, factor, first, clear, end, stats)`, all i32: turns a row's scores into weights
 * that are not yet divided by their sum. The largest score (times scale, as power of two) goes to `stats`, the sum 32
 * bytes further.
 */
const softmaxRow = ({ module, target }: KernelContext, { keys, scale, mask, factor }: Shape): number => {
  const maskStride = mask[2], factorStride = factor?.[4]
  const tail = keys % 8
  return module.once(
    keyOf(["attention_softmax", keys, scale, maskStride, factorStride, target.relaxed]),
    () =>
      module.func(
        "attention_softmax",
        new Array(7).fill("i32"),
        [],
        (f, scores, maskRow, factorRow, first, clear, end, stats) => {
          const [key, at, beside, whole] = integers(f, 4)
          const [tops, sums] = [0, 1].map(() => [f.local("v128"), f.local("v128")])
          const [x, n, negative] = [f.local("v128"), f.local("v128"), f.local("v128")]
          const { number, set: setConstants } = constants(module, f)
          const scoreScale = number(scale * Math.LOG2E)
          /** From where `at` and `beside` stand. */
          const walk = (
            from: number,
            to: number,
            stride: number,
            body: (place: number, lanes: number, i: number) => Code,
          ) => {
            const panel = (count: number) => vectorsOf(count).map(({ at, lanes }, i) => body(at, lanes, i))
            return [
              forRange(key, get(from), get(to), 8, panel(8), increase(at, 32), increase(beside, 32 * stride)),
              to === whole && tail > 0 ? when(i32.ltU(get(whole), get(end)), panel(tail)) : [],
            ]
          }
          const begin = (row: number, from: number, stride: number): Code => [
            set(at, i32.add(get(scores), scaled(get(first), 4))),
            set(beside, i32.add(get(row), scaled(get(from), 4 * stride))),
          ]
          const combined = ([a, b]: number[], combine: (a: Code, b: Code) => Code): Code => [
            set(a, combine(get(a), get(b))),
            set(a, combine(get(a), v128.shuffle32(get(a), get(a), [2, 3, 0, 1]))),
            set(a, combine(get(a), v128.shuffle32(get(a), get(a), [1, 0, 3, 2]))),
          ]
          const top = (i: number): Code => set(tops[i], f32x4.pmax(get(tops[i]), get(x)))
          const weigh = (place: number, lanes: number, i: number): Code => [
            set(x, powerOfTwo(target, number, x, n)),
            set(sums[i], f32x4.add(get(sums[i]), get(x))),
            v128.store(
              get(at),
              factorStride === undefined
                ? get(x)
                : f32x4.mul(get(x), loadLanes(get(beside), factorStride, lanes, place * factorStride)),
              4 * place,
            ),
          ]
          const code: Code = [
            // The last keys are never clear.
            set(whole, minimum(get(end), i32.const(keys - tail))),
            tops.map((top) => set(top, number(-Infinity))),
            begin(maskRow, clear, maskStride),
            walk(first, clear, 0, (place, _, i) => [
              set(x, f32x4.mul(v128.load(get(at), 4 * place), scoreScale)),
              top(i),
            ]),
            walk(clear, whole, maskStride, (place, lanes, i) => [
              set(
                x,
                v128.bitselect(
                  f32x4.mul(v128.load(get(at), 4 * place), scoreScale),
                  number(HIDDEN),
                  f32x4.ne(loadLanes(get(beside), maskStride, lanes, place * maskStride), f32x4.const(0)),
                ),
              ),
              // Beyond the last key there is no weight at all.
              lanes === 4 ? [] : set(
                x,
                v128.bitselect(get(x), number(-Infinity), v128.const(-1, lanes > 1 ? -1 : 0, lanes > 2 ? -1 : 0, 0)),
              ),
              v128.store(get(at), get(x), 4 * place),
              top(i),
            ]),
            combined(tops, f32x4.pmax),
            set(negative, f32x4.neg(get(tops[0]))),
            begin(factorRow, first, factorStride ?? 0),
            walk(first, clear, factorStride ?? 0, (place, lanes, i) => [
              set(x, madd(target, v128.load(get(at), 4 * place), scoreScale, get(negative))),
              weigh(place, lanes, i),
            ]),
            walk(clear, whole, factorStride ?? 0, (place, lanes, i) => [
              set(x, f32x4.add(v128.load(get(at), 4 * place), get(negative))),
              weigh(place, lanes, i),
            ]),
            combined(sums, f32x4.add),
            v128.store32Lane(0, get(stats), get(tops[0])),
            v128.store32Lane(0, get(stats), get(sums[0]), 32),
          ]
          return [setConstants(), code]
        },
      ),
  )
}

/**
 * Index of the function `(scratch, ranges, panels, q, k, v, mask, factor, output, logSum)`, all i32: so many panels of
 * `rows` queries, one or, in wide vectors, as many as a block has.
 */
const blockFunction = (context: KernelContext, shape: Shape, rows: number): number => {
  const { module, target } = context
  const { keys, width, valueWidth, rowBytes, block } = shape
  const lies = scratchOf(shape)
  const together = block > 1 && rows === ROWS
  return module.once(
    keyOf(["attention_block", shape, rows, target]),
    () =>
      module.func(
        "attention_block",
        new Array(10).fill("i32"),
        [],
        (f, scratch, ranges, panels, q, k, v, mask, factor, output, logSum) => {
          const [first, clear, end, last, row, stats, panel, key] = integers(f, 8)
          const [top, sum, blind] = [f.local("v128"), f.local("v128"), f.local("v128")]
          const within = (bytes: number): Code => i32.add(get(scratch), i32.const(bytes))
          const number = (value: number): Code => module.pooled(f32x4.const(value))
          const softmax = softmaxRow(context, shape)
          const eachRow = (body: (r: number) => Code): Code => Array.from({ length: rows }, (_, r) => body(r))
          const eachPanel = (body: Code): Code =>
            together ? forRange(panel, i32.const(0), get(panels), 1, body) : [set(panel, i32.const(0)), body]
          const entry = i32.add(get(ranges), scaled(get(panel), RANGE_BYTES))
          const seen = (from: Code, until: Code) => ({ table: get(ranges), count: get(panels), from, until })
          const rowsOf = (start: number, panel: number, stride: number): Code =>
            i32.add(get(start), scaled(get(panel), ROWS * stride))
          const scoresOf = (panel: number): Code => i32.add(within(lies.scores), scaled(get(panel), ROWS * rowBytes))

          const products = { layout: "depth", aStride: 4 * shape.q[3], outputStride: rowBytes, tail: 0 } as const
          const allScores: Code = forRange(
            key,
            i32.const(0),
            i32.const(padded(keys)),
            STRIP_COLUMNS,
            set(end, minimum(i32.const(padded(keys)), i32.add(get(key), i32.const(STRIP_COLUMNS)))),
            eachRun(f, seen(get(key), get(end)), (panel, count) =>
              callFunction(
                tilesTimesPanels(module, target, products),
                rowsOf(q, panel, 4 * shape.q[3]),
                get(count),
                i32.add(within(lies.k), scaled(get(key), 4 * width)),
                i32.const(32 * width),
                i32.const(width),
                i32.sub(get(end), get(key)),
                i32.add(scoresOf(panel), scaled(get(key), 4)),
                i32.const(0),
              )),
          )
          const scores: Code = shape.packs
            ? callFunction(
              rowsTimesPanels(module, target, { ...products, rows }),
              get(q),
              i32.add(within(lies.k), scaled(get(first), 4 * width)),
              i32.const(32 * width),
              i32.const(width),
              i32.sub(get(end), get(first)),
              i32.add(within(lies.scores), scaled(get(first), 4)),
              i32.const(0),
            )
            : callFunction(
              rowsTimesKeys(module, target, {
                rows,
                width,
                strides: [4 * shape.q[3], 4 * shape.k[2], rowBytes],
                tail: keys % 4,
              }),
              get(q),
              i32.add(get(k), scaled(get(first), 4 * shape.k[2])),
              i32.sub(get(last), get(first)),
              i32.add(within(lies.scores), scaled(get(first), 4)),
            )
          const zeros = (from: Code, to: Code): Code =>
            forRange(
              key,
              from,
              to,
              COLUMNS,
              [0, 16].map((place) => v128.store(i32.add(get(row), scaled(get(key), 4)), f32x4.const(0), place)),
            )
          const weights: Code = [
            set(row, scoresOf(panel)),
            set(stats, i32.add(within(lies.stats), scaled(get(panel), STATS_BYTES))),
            eachRow(() => [
              callFunction(softmax, ...[row, mask, factor, first, clear, end, stats].map(get)),
              // Strips of values begin where they begin.
              together
                ? [
                  zeros(i32.and(get(first), i32.const(-STRIP)), get(first)),
                  zeros(
                    get(end),
                    minimum(
                      i32.and(i32.add(get(end), i32.const(STRIP - 1)), i32.const(-STRIP)),
                      i32.const(padded(keys)),
                    ),
                  ),
                ]
                : [],
              increase(row, rowBytes),
              increase(mask, 4 * shape.mask[1]),
              increase(factor, 4 * (shape.factor?.[3] ?? 0)),
              increase(stats, 4),
            ]),
          ]

          const sums = {
            layout: "depth",
            aStride: rowBytes,
            outputStride: 4 * shape.output[3],
            tail: valueWidth % 8,
          } as const
          const allValues: Code = [
            eachPanel([
              set(row, rowsOf(output, panel, 4 * shape.output[3])),
              eachRow(() => [
                forVectors(key, row, valueWidth, (lanes) => storeLanes(get(key), 1, lanes, 0, f32x4.const(0))),
                increase(row, 4 * shape.output[3]),
              ]),
            ]),
            forRange(
              key,
              i32.const(0),
              i32.const(keys),
              STRIP,
              set(end, minimum(i32.const(keys), i32.add(get(key), i32.const(STRIP)))),
              eachRun(f, seen(get(key), get(end)), (panel, count) =>
                callFunction(
                  tilesTimesPanels(module, target, sums),
                  i32.add(scoresOf(panel), scaled(get(key), 4)),
                  get(count),
                  i32.add(within(lies.v), scaled(get(key), 32)),
                  i32.const(32 * keys),
                  i32.sub(get(end), get(key)),
                  i32.const(valueWidth),
                  rowsOf(output, panel, 4 * shape.output[3]),
                  i32.const(1),
                )),
            ),
          ]
          const values: Code = callFunction(
            rowsTimesPanels(module, target, { ...sums, rows, ...(shape.packs ? {} : { bStride: 4 * shape.v[2] }) }),
            i32.add(within(lies.scores), scaled(get(first), 4)),
            shape.packs
              ? i32.add(within(lies.v), scaled(get(first), 32))
              : i32.add(get(v), scaled(get(first), 4 * shape.v[2])),
            i32.const(shape.packs ? 32 * keys : 32),
            i32.sub(get(last), get(first)),
            i32.const(valueWidth),
            get(output),
            i32.const(0),
          )
          const divide: Code = [
            set(stats, i32.add(within(lies.stats), scaled(get(panel), STATS_BYTES))),
            vectorsOf(rows).map(({ at, lanes }): Code => [
              set(top, v128.load(get(stats), 4 * at)),
              set(sum, v128.load(get(stats), 4 * at + 32)),
              set(blind, f32x4.le(get(top), number(HIDDEN))),
              v128.store(get(stats), v128.andnot(f32x4.div(number(1), get(sum)), get(blind)), 4 * at),
              shape.logSum === undefined ? [] : [
                set(
                  top,
                  v128.bitselect(
                    number(NOTHING),
                    f32x4.add(
                      f32x4.mul(get(top), number(Math.LN2)),
                      vectorUnary(module, target, f, "log", "f32", get(sum)),
                    ),
                    get(blind),
                  ),
                ),
                storeLanes(get(logSum), shape.logSum[3], lanes, at * shape.logSum[3], get(top)),
              ],
            ]),
            increase(logSum, 4 * rows * (shape.logSum?.[3] ?? 0)),
            eachRow((r) => [
              set(sum, v128.load32Splat(get(stats), 4 * r)),
              forVectors(row, output, valueWidth, (lanes): Code => [
                set(top, f32x4.mul(loadLanes(get(row), 1, lanes, 0), get(sum))),
                storeLanes(get(row), 1, lanes, 0, get(top)),
              ]),
              increase(output, 4 * shape.output[3]),
            ]),
          ]
          const range: Code = [
            [first, clear, end].map((local, i) => set(local, i32.load(entry, 4 * i))),
            // Of the panel of the last keys, those that there are.
            set(last, minimum(get(end), i32.const(keys))),
          ]
          return together
            ? [allScores, eachPanel([range, weights]), allValues, eachPanel(divide)]
            : eachPanel([range, scores, weights, values, divide])
        },
      ),
  )
}

/** Walks `count` neighbours from the address in `start` on; `at` holds the address of each vector. */
const forVectors = (at: number, start: number, count: number, body: (lanes: number) => Code): Code => {
  const whole = count - count % 4
  return [
    set(at, get(start)),
    whole === 0 ? [] : forRange(at, get(start), i32.add(get(start), i32.const(4 * whole)), 16, body(4)),
    count === whole ? [] : body(count - whole),
  ]
}

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
          const bytes = (strides: ReadonlyArray<number> | undefined, axis: number) => 4 * (strides?.[axis] ?? 0)
          const perQuery = [
            [q0, shape.q],
            [factor0, shape.factor],
            [output0, shape.output],
            [logSum0, shape.logSum],
          ] as const
          const perKey = [[k0, shape.k], [v0, shape.v]] as const
          const moves = (axis: number, views: ReadonlyArray<readonly [number, ReadonlyArray<number> | undefined]>) =>
            views.map(([local, strides]) => [local, bytes(strides, axis)] as const)
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
            step(scaled(get(tiles), rows), [...moves(3, perQuery), [mask0, bytes(shape.mask, 1)]]),
          ]
          const whole = minimum(
            i32.const(block),
            i32.sub(minimum(get(last), i32.const(shape.full)), get(panel)),
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
            step(get(index), [...moves(0, perQuery), ...moves(0, perKey), [mask0, bytes(shape.mask, 0)]]),
            set(ranges, i32.add(get(seen), scaled(get(index), batchBytes))),
            set(query, firstRow(shape, get(panel))),
            step(get(query), [...moves(3, perQuery), [mask0, bytes(shape.mask, 1)]]),
            increase(entry, 1),
            shape.packs
              ? when(i32.ne(get(entry), get(packed)), [
                set(packed, get(entry)),
                callFunction(
                  packPanels(module, "depth", keys % 8),
                  get(k0),
                  i32.const(bytes(shape.k, 2)),
                  i32.const(width),
                  i32.const(keys),
                  i32.add(get(scratch), i32.const(lies.k)),
                ),
                callFunction(
                  packPanels(module, "across", valueWidth % 8),
                  get(v0),
                  i32.const(bytes(shape.v, 2)),
                  i32.const(keys),
                  i32.const(valueWidth),
                  i32.add(get(scratch), i32.const(lies.v)),
                ),
              ])
              : [],
            set(last, minimum(i32.const(count), i32.add(get(panel), i32.const(run)))),
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
  const shape = shapeOf(call, context.target.wide === true)
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
