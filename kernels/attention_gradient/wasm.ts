/**
 * The derivative of attention in WebAssembly. For a block of queries and a chunk of keys: weights again from q, k and
 * logSum, then the derivative of the scores, both into the thread's scratch; from these dq, dk and dv.
 *
 * A unit of work is one pair of keys and values with all its queries, or, where there are few of those, a run of
 * queries of one member of its group; then dk and dv are partial sums that a second stage adds in order. How work is
 * cut depends on the shape alone, and so does the order of every sum.
 * @module
 */
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
} from "../attention/_wasm_parts.ts"
import { packPanels, rowsTimesPanels, STRIP, tilesTimesPanels } from "../attention/_wasm_products.ts"
import { constants, powerOfTwo } from "../attention/_wasm_power.ts"
import { keyOf } from "../collapse.ts"
import type { AttentionGradientCall, View } from "../contract.ts"
import { ROWS, vectorsOf } from "../matmul/_wasm_micro_kernel.ts"
import { scaled } from "../matmul/_wasm_operands.ts"
import { STRIP_COLUMNS } from "../matmul/_wasm_strip_kernel.ts"
import { emitRows } from "../rows/wasm.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  madd,
  ret,
  select,
  set,
  type Target,
  v128,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { loadLanes, storeLanes } from "../wasm/lanes.ts"

/** With fewer pairs of keys and values than this, their queries are shared out. */
const UNITS = 16
/** Most keys of a chunk, a multiple of 6 and of 8; most panels of queries in a block: their weights stay in the
 * second-level cache. */
const KEYS = 264, BLOCK = 11
/** The same in wide vectors, a multiple of 6 and of 16. */
const WIDE_KEYS = 288, WIDE_BLOCK = 16

type Strides = ReadonlyArray<number>

/** A call as numbers: strides in elements, no buffers. */
interface Shape extends Panels {
  /** Whether in wide vectors, and most panels of queries that are worked on together. */
  readonly wide: boolean
  readonly block: number
  readonly batch: number
  readonly shared: number
  readonly group: number
  readonly keys: number
  readonly width: number
  readonly valueWidth: number
  readonly scale: number
  /** Keys of a chunk, of the last one, and number of chunks. */
  readonly chunk: number
  readonly lastChunk: number
  readonly chunks: number
  /** Members of a unit's group and panels of its queries. */
  readonly members: number
  readonly run: number
  /** Units with the same keys and values; with more than one, dk and dv are partial sums. */
  readonly pieces: number
  readonly q: Strides
  readonly k: Strides
  readonly v: Strides
  readonly mask: Strides
  readonly factor: Strides | undefined
  readonly logSum: Strides
  readonly cotangent: Strides
  readonly delta: Strides
  readonly dq: Strides | undefined
  readonly dk: Strides | undefined
  readonly dv: Strides | undefined
}

const shapeOf = (call: AttentionGradientCall, target: Target): Shape => {
  const [batch, shared, group, queries, width] = call.q.shape
  const keys = call.k.shape[2], valueWidth = call.v.shape[3]
  const panels = panelsOf(queries)
  const wide = target.wide === true && panels.rows === ROWS
  const block = wide ? WIDE_BLOCK : BLOCK
  const chunks = Math.max(1, Math.ceil(keys / (wide ? WIDE_KEYS : KEYS)))
  const chunk = chunks === 1 ? keys : wide ? Math.ceil(keys / chunks / 48) * 48 : Math.ceil(keys / chunks / 24) * 24
  const pairs = batch * shared
  const whole = pairs >= UNITS
  const runs = whole ? 1 : Math.min(Math.ceil(panels.count / BLOCK), Math.ceil(UNITS / (pairs * group)))
  const run = Math.ceil(panels.count / runs)
  const pieces = whole ? 1 : group * Math.ceil(panels.count / run)
  const partial = (view: View | undefined, width: number): Strides | undefined =>
    view === undefined || pieces === 1 ? view?.strides : [0, 0, width, 1]
  return {
    ...panels,
    wide,
    block,
    batch,
    shared,
    group,
    keys,
    width,
    valueWidth,
    scale: call.scale,
    chunk,
    chunks,
    lastChunk: keys - (chunks - 1) * chunk,
    members: pieces === 1 ? group : 1,
    run,
    pieces,
    q: call.q.strides,
    k: call.k.strides,
    v: call.v.strides,
    mask: call.mask.strides,
    factor: call.factor?.strides,
    logSum: call.logSum.strides,
    cotangent: call.cotangent.strides,
    delta: call.delta.strides,
    dq: call.dq?.strides,
    dk: partial(call.dk, width),
    dv: partial(call.dv, valueWidth),
  }
}

/** Where things lie in a thread's scratch, in bytes. */
const scratchOf = ({ chunk, width, valueWidth, rows, count, block }: Shape) => {
  const queries = rows * Math.min(count, block)
  // A cache line more than the keys: rows must not fall on the same lines.
  const rowBytes = 4 * padded(chunk) + 64
  const sizes = {
    /** Panels of eight keys, of values; of eight columns of keys. */
    keyPanels: 4 * padded(chunk) * width,
    valuePanels: 4 * padded(chunk) * valueWidth,
    keyColumns: 4 * chunk * padded(width),
    /** Panels of eight columns of a block's queries and cotangents. */
    queryColumns: 4 * queries * padded(width),
    cotangentColumns: 4 * queries * padded(valueWidth),
    weights: queries * rowBytes,
    scores: queries * rowBytes,
    /** What each panel of queries sees of the keys of a chunk, from its first one on. */
    ranges: RANGE_BYTES * block,
  }
  let bytes = 0
  const places = Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => {
      const place = bytes
      bytes += Math.ceil(size / 64) * 64
      return [name, place]
    }),
  ) as Record<keyof typeof sizes, number>
  return { ...places, rowBytes, bytes }
}

/**
 * Index of the function `(weights, scores, mask, factor, logSum, delta, first, clear, end)`, all i32: a row of raw
 * scores (in `weights`) and of derivatives with respect to the weights (in `scores`) becomes weights, times factor,
 * and derivatives with respect to the raw scores. Outside of first <= key < end both become 0.
 */
const rowFunction = ({ module, target }: KernelContext, shape: Shape, keys: number): number => {
  const { scale, mask: { 2: maskStride }, factor } = shape
  const factorStride = factor?.[4]
  const needsScores = shape.dq !== undefined || shape.dk !== undefined
  const tail = keys % 8
  return module.once(
    keyOf(["attention_gradient_row", keys, maskStride, factorStride, scale, needsScores, target.relaxed]),
    () =>
      module.func(
        "attention_gradient_row",
        new Array(9).fill("i32"),
        [],
        (f, weights, scores, mask, factor, logSum, delta, first, clear, end) => {
          const [at, whole] = integers(f, 2)
          const [x, n, times, total, share] = [0, 1, 2, 3, 4].map(() => f.local("v128"))
          const { number, set: setConstants } = constants(module, f)
          const timesFactor = (value: Code) => factorStride === undefined ? value : f32x4.mul(value, get(times))
          const vector = (place: number, lanes: number, masked: boolean): Code => {
            const visible = f32x4.ne(loadLanes(get(mask), maskStride, lanes, place * maskStride), number(0))
            return [
              set(x, madd(target, v128.load(get(weights), 4 * place), number(scale * Math.LOG2E), get(total))),
              set(x, powerOfTwo(target, number, x, n)),
              masked ? set(x, v128.and(get(x), visible)) : [],
              factorStride === undefined
                ? []
                : set(times, loadLanes(get(factor), factorStride, lanes, place * factorStride)),
              !needsScores ? [] : v128.store(
                get(scores),
                f32x4.mul(
                  get(x),
                  madd(target, timesFactor(v128.load(get(scores), 4 * place)), number(scale), get(share)),
                ),
                4 * place,
              ),
              v128.store(get(weights), timesFactor(get(x)), 4 * place),
            ]
          }
          const advance: Code = [increase(weights, 32), increase(scores, 32)]
          const panel = (count: number, masked: boolean): Code => [
            vectorsOf(count).map(({ at, lanes }) => vector(at, lanes, masked)),
            advance,
            factorStride === undefined ? [] : increase(factor, 32 * factorStride),
          ]
          const zeros: Code = [
            [0, 16].map((place) => [
              v128.store(get(weights), number(0), place),
              needsScores ? v128.store(get(scores), number(0), place) : [],
            ]),
            advance,
          ]
          const code: Code = [
            // Signs turned, for multiplications with additions.
            set(total, f32x4.mul(v128.load32Splat(get(logSum)), number(-Math.LOG2E))),
            set(share, f32x4.mul(v128.load32Splat(get(delta)), number(-scale))),
            set(whole, minimum(get(end), i32.const(keys - tail))),
            increase(mask, scaled(get(clear), 4 * maskStride)),
            factorStride === undefined ? [] : increase(factor, scaled(get(first), 4 * factorStride)),
            forRange(at, i32.const(0), get(first), 8, zeros),
            forRange(at, get(first), get(clear), 8, panel(8, false)),
            forRange(at, get(clear), get(whole), 8, panel(8, true), increase(mask, 32 * maskStride)),
            tail === 0 ? [] : when(i32.ltU(get(whole), get(end)), panel(tail, true)),
            forRange(at, get(end), i32.const(padded(keys)), 8, zeros),
          ]
          return [setConstants(), code]
        },
      ),
  )
}

/** Parameters of a block: addresses of its first query, but of the first key for `dk` and `dv`. */
const BLOCK_PARAMETERS = ["q", "mask", "factor", "logSum", "cotangent", "delta", "dq", "dk", "dv"] as const
type Addresses = Readonly<Record<typeof BLOCK_PARAMETERS[number], number>>

/**
 * Index of the function `(scratch, seen, firstPanel, lastPanel, start, moreKeys, ...addresses)`, all i32: these panels of
 * queries, and what they see of all keys, with a packed chunk of `keys` keys from key `start` on. dq is added to what is there where `start` is not
 * 0; dk and dv where `moreKeys` is not.
 */
const blockFunction = (context: KernelContext, shape: Shape, keys: number): number => {
  const { module, target } = context
  const { width, valueWidth } = shape
  const lies = scratchOf(shape)
  const needsScores = shape.dq !== undefined || shape.dk !== undefined
  const bytes = (strides: Strides | undefined, axis: number) => 4 * (strides?.[axis] ?? 0)
  return module.once(
    keyOf(["attention_gradient_block", shape, keys, target]),
    () =>
      module.func(
        "attention_gradient_block",
        new Array(6 + BLOCK_PARAMETERS.length).fill("i32"),
        [],
        (f, scratch, seen, firstPanel, lastPanel, start, moreKeys, ...given) => {
          const at = Object.fromEntries(BLOCK_PARAMETERS.map((name, i) => [name, given[i]])) as Addresses
          const [first, clear, end, range, lastRange, panel, any, row, queries] = integers(f, 9)
          const [weights, scores, tile, key, from, to, query, wholePanels, dq0] = integers(f, 9)
          const within = (place: number): Code => i32.add(get(scratch), i32.const(place))
          const nextQueries = (rows: number): Code => [
            increase(at.q, rows * bytes(shape.q, 3)),
            increase(at.mask, rows * bytes(shape.mask, 1)),
            increase(at.factor, rows * bytes(shape.factor, 3)),
            increase(at.logSum, rows * bytes(shape.logSum, 3)),
            increase(at.cotangent, rows * bytes(shape.cotangent, 3)),
            increase(at.delta, rows * bytes(shape.delta, 3)),
            increase(at.dq, rows * bytes(shape.dq, 3)),
            increase(weights, rows * lies.rowBytes),
            increase(scores, rows * lies.rowBytes),
          ]
          const eachRange = (...body: ReadonlyArray<Code>): Code => [
            set(panel, get(firstPanel)),
            forRange(range, within(lies.ranges), get(lastRange), RANGE_BYTES, ...body, increase(panel, 1)),
          ]
          /** Of a range of all keys, the part in this chunk. */
          const clipped: Code = minimum(
            i32.const(padded(keys)),
            select(i32.sub(get(row), get(start)), i32.const(0), i32.gtU(get(row), get(start))),
          )
          const product = (height: number, a: number, place: number, k: number, output: number): Code =>
            callFunction(
              rowsTimesPanels(module, target, {
                layout: "depth",
                rows: height,
                aStride: bytes(a === at.q ? shape.q : shape.cotangent, 3),
                outputStride: lies.rowBytes,
                tail: 0,
              }),
              get(a),
              i32.add(within(place), scaled(get(first), 4 * k)),
              i32.const(32 * k),
              i32.const(k),
              i32.sub(get(end), get(first)),
              i32.add(get(output), scaled(get(first), 4)),
              i32.const(0),
            )
          const derivatives = (height: number): Code =>
            Array.from({ length: height }, (_, r) =>
              callFunction(
                rowFunction(context, shape, keys),
                i32.add(get(weights), i32.const(r * lies.rowBytes)),
                i32.add(get(scores), i32.const(r * lies.rowBytes)),
                i32.add(get(at.mask), i32.const(r * bytes(shape.mask, 1))),
                i32.add(get(at.factor), i32.const(r * bytes(shape.factor, 3))),
                i32.add(get(at.logSum), i32.const(r * bytes(shape.logSum, 3))),
                i32.add(get(at.delta), i32.const(r * bytes(shape.delta, 3))),
                get(first),
                get(clear),
                get(end),
              ))
          const queryProducts = {
            layout: "depth",
            aStride: lies.rowBytes,
            outputStride: bytes(shape.dq, 3),
            tail: width % 8,
          } as const
          const rowsOf = (height: number): Code => [
            [first, clear, end].map((local, i) => set(local, i32.load(get(range), 4 * i))),
            product(height, at.q, lies.keyPanels, width, weights),
            needsScores ? product(height, at.cotangent, lies.valuePanels, valueWidth, scores) : [],
            derivatives(height),
            shape.dq === undefined ? [] : callFunction(
              rowsTimesPanels(module, target, { ...queryProducts, rows: height }),
              i32.add(get(scores), scaled(get(first), 4)),
              i32.add(within(lies.keyColumns), scaled(get(first), 32)),
              i32.const(32 * keys),
              i32.sub(minimum(get(end), i32.const(keys)), get(first)),
              i32.const(width),
              get(at.dq),
              get(start),
            ),
            nextQueries(height),
          ]

          /** For strips of so many keys, of `count` in all, and runs of panels that see some of them: locals with key and panels. */
          const eachStrip = (
            size: number,
            count: number,
            body: (panel: number, panels: number, keys: Code) => Code,
          ): Code =>
            forRange(
              key,
              i32.const(0),
              i32.const(count),
              size,
              set(end, minimum(i32.const(count), i32.add(get(key), i32.const(size)))),
              eachRun(
                f,
                { table: within(lies.ranges), count: get(wholePanels), from: get(key), until: get(end) },
                (panel, panels) => body(panel, panels, i32.sub(get(end), get(key))),
              ),
            )
          const rowsFrom = (start: Code, panel: number, stride: number): Code =>
            i32.add(start, scaled(get(panel), ROWS * stride))
          const wideProduct = (from: number, view: Strides, place: number, k: number, output: number): Code =>
            eachStrip(STRIP_COLUMNS, padded(keys), (panel, panels, columns) =>
              callFunction(
                tilesTimesPanels(module, target, {
                  layout: "depth",
                  aStride: bytes(view, 3),
                  outputStride: lies.rowBytes,
                  tail: 0,
                }),
                rowsFrom(get(from), panel, bytes(view, 3)),
                get(panels),
                i32.add(within(place), scaled(get(key), 4 * k)),
                i32.const(32 * k),
                i32.const(k),
                columns,
                i32.add(rowsFrom(within(output), panel, lies.rowBytes), scaled(get(key), 4)),
                i32.const(0),
              ))
          /** Whole panels of queries: weights and derivatives of all of them, then dq. */
          const wideQueries = (): Code => [
            set(wholePanels, i32.sub(minimum(get(lastPanel), i32.const(shape.full)), get(firstPanel))),
            wideProduct(at.q, shape.q, lies.keyPanels, width, lies.weights),
            needsScores ? wideProduct(at.cotangent, shape.cotangent, lies.valuePanels, valueWidth, lies.scores) : [],
            set(dq0, get(at.dq)),
            eachRange(
              byHeight(shape, get(panel), (height) =>
                height < ROWS ? rowsOf(height) : [
                  [first, clear, end].map((local, i) => set(local, i32.load(get(range), 4 * i))),
                  derivatives(height),
                  shape.dq === undefined
                    ? []
                    : when(i32.eqz(get(start)), zeros(at.dq, ROWS, width, bytes(shape.dq, 3))),
                  nextQueries(height),
                ]),
            ),
            shape.dq === undefined ? [] : eachStrip(STRIP, keys, (panel, panels, k) =>
              callFunction(
                tilesTimesPanels(module, target, queryProducts),
                i32.add(rowsFrom(within(lies.scores), panel, lies.rowBytes), scaled(get(key), 4)),
                get(panels),
                i32.add(within(lies.keyColumns), scaled(get(key), 32)),
                i32.const(32 * keys),
                k,
                i32.const(width),
                rowsFrom(get(dq0), panel, bytes(shape.dq, 3)),
                i32.const(1),
              )),
          ]
          /** Sets rows of an output to 0. */
          const zeros = (start: number, rows: number, columns: number, stride: number): Code => [
            set(to, get(start)),
            forRange(row, i32.const(0), i32.const(rows), 1, [
              vectorsOf(columns).map(({ at, lanes }) => storeLanes(get(to), 1, lanes, at, f32x4.const(0))),
              increase(to, stride),
            ]),
          ]
          /** Whole panels of keys: what strips of the block's queries, of which some see them, add to dk and dv. */
          const wideKeys = (panels: Panels): Code => {
            const all = ROWS * panels.full
            const sum = (a: number, place: number, columns: number, view: Strides, output: number): Code =>
              callFunction(
                tilesTimesPanels(module, target, {
                  layout: "across",
                  aStride: lies.rowBytes,
                  outputStride: bytes(view, 2),
                  tail: columns % 8,
                }),
                i32.add(i32.add(within(a), scaled(get(query), lies.rowBytes)), scaled(get(from), 4 * ROWS)),
                i32.sub(get(to), get(from)),
                i32.add(within(place), scaled(get(query), 32)),
                scaled(get(queries), 32),
                i32.sub(get(end), get(query)),
                i32.const(columns),
                i32.add(get(output), scaled(get(from), ROWS * bytes(view, 2))),
                i32.const(1),
              )
            return [
              when(i32.eqz(get(moreKeys)), [
                shape.dk === undefined ? [] : zeros(at.dk, all, width, bytes(shape.dk, 2)),
                shape.dv === undefined ? [] : zeros(at.dv, all, valueWidth, bytes(shape.dv, 2)),
              ]),
              forRange(
                query,
                i32.const(0),
                get(queries),
                STRIP,
                set(end, minimum(get(queries), i32.add(get(query), i32.const(STRIP)))),
                // The panels of keys between the first and the last key that one of them sees; elsewhere weights are 0.
                set(from, i32.const(keys)),
                set(to, i32.const(0)),
                set(row, i32.const(0)),
                eachRange(
                  when(
                    i32.and(
                      i32.and(i32.ltU(get(row), get(end)), i32.gtU(i32.add(get(row), i32.const(ROWS)), get(query))),
                      i32.ltU(i32.load(get(range)), i32.load(get(range), 8)),
                    ),
                    [
                      set(from, minimum(get(from), i32.load(get(range)))),
                      set(to, select(get(to), i32.load(get(range), 8), i32.gtU(get(to), i32.load(get(range), 8)))),
                    ],
                  ),
                  increase(row, ROWS),
                ),
                set(from, i32.divU(get(from), i32.const(ROWS))),
                set(
                  to,
                  minimum(i32.divU(i32.add(get(to), i32.const(ROWS - 1)), i32.const(ROWS)), i32.const(panels.full)),
                ),
                when(i32.ltU(get(from), get(to)), [
                  shape.dk === undefined ? [] : sum(lies.scores, lies.queryColumns, width, shape.dk, at.dk),
                  shape.dv === undefined ? [] : sum(lies.weights, lies.cotangentColumns, valueWidth, shape.dv, at.dv),
                ]),
              ),
            ]
          }
          const packColumns = (view: Strides, from: number, columns: number, place: number): Code =>
            callFunction(
              packPanels(module, "across", columns % 8),
              get(from),
              i32.const(bytes(view, 3)),
              get(queries),
              i32.const(columns),
              within(place),
            )
          /** Rows of the transposed weights or scores times columns of queries or cotangents. */
          const transposed = (height: number, a: number, place: number, columns: number, view: Strides, to_: number) =>
            callFunction(
              rowsTimesPanels(module, target, {
                layout: "across",
                rows: height,
                aStride: lies.rowBytes,
                outputStride: bytes(view, 2),
                tail: columns % 8,
              }),
              i32.add(i32.add(within(a), scaled(get(from), lies.rowBytes)), scaled(get(key), 4)),
              i32.add(within(place), scaled(get(from), 32)),
              scaled(get(queries), 32),
              i32.sub(get(to), get(from)),
              i32.const(columns),
              i32.add(get(to_), scaled(get(key), bytes(view, 2))),
              get(moreKeys),
            )
          const rowOf = (panel: Code): Code => firstRow(shape, panel)
          const tileOf = (height: number): Code => [
            // The queries that see some of these keys lie between these two.
            set(from, get(queries)),
            set(to, i32.const(0)),
            set(row, i32.const(0)),
            eachRange(
              set(end, i32.add(get(row), i32.sub(rowOf(i32.add(get(panel), i32.const(1))), rowOf(get(panel))))),
              when(
                i32.and(
                  i32.ltU(i32.load(get(range)), i32.add(get(key), i32.const(height))),
                  i32.gtU(i32.load(get(range), 8), get(key)),
                ),
                [set(from, minimum(get(from), get(row))), set(to, get(end))],
              ),
              set(row, get(end)),
            ),
            set(from, minimum(get(from), get(to))),
            shape.dk === undefined ? [] : transposed(height, lies.scores, lies.queryColumns, width, shape.dk, at.dk),
            shape.dv === undefined
              ? []
              : transposed(height, lies.weights, lies.cotangentColumns, valueWidth, shape.dv, at.dv),
            increase(key, height),
          ]
          const tiles = panelsOf(keys)
          return [
            set(lastRange, i32.add(within(lies.ranges), scaled(i32.sub(get(lastPanel), get(firstPanel)), RANGE_BYTES))),
            set(queries, i32.sub(rowOf(get(lastPanel)), rowOf(get(firstPanel)))),
            eachRange(
              [0, 4, 8].map((place): Code => [
                set(row, i32.load(i32.add(get(seen), scaled(get(panel), RANGE_BYTES)), place)),
                i32.store(get(range), clipped, place),
              ]),
              set(any, i32.or(get(any), i32.load(get(range), 8))),
              // Nothing lies between two bounds that were moved to the chunk's end.
              when(i32.eq(i32.load(get(range)), i32.load(get(range), 8)), [
                [0, 4, 8].map((place) => i32.store(get(range), i32.const(0), place)),
              ]),
            ),
            // Nothing to add.
            when(i32.and(i32.eqz(get(any)), i32.and(i32.ne(get(start), i32.const(0)), get(moreKeys))), ret()),
            shape.dk === undefined ? [] : packColumns(shape.q, at.q, width, lies.queryColumns),
            shape.dv === undefined ? [] : packColumns(shape.cotangent, at.cotangent, valueWidth, lies.cotangentColumns),
            set(weights, within(lies.weights)),
            set(scores, within(lies.scores)),
            shape.wide
              ? [
                wideQueries(),
                wideKeys(tiles),
                set(key, i32.const(ROWS * tiles.full)),
                tiles.rest === 0 ? [] : tileOf(tiles.rest),
              ]
              : [
                eachRange(byHeight(shape, get(panel), rowsOf)),
                set(key, i32.const(0)),
                forRange(tile, i32.const(0), i32.const(tiles.count), 1, byHeight(tiles, get(tile), tileOf)),
              ],
          ]
        },
      ),
  )
}

/** Parameters of the driver, one address each. */
const OPERANDS = ["q", "k", "v", "mask", "factor", "logSum", "cotangent", "delta", "dq", "dk", "dv"] as const

/**
 * Index of the function `(begin, end, scratch, seen, ...operands)`, all i32, that runs units; `seen` is the table of
 * {@link seenKeys}.
 */
const driver = (context: KernelContext, shape: Shape, batchBytes: number): number => {
  const { module, target } = context
  const { shared, keys, width, valueWidth, count, chunk, chunks, lastChunk, members, run, pieces, block } = shape
  const lies = scratchOf(shape)
  const needsScores = shape.dq !== undefined || shape.dk !== undefined
  return module.once(
    keyOf(["attention_gradient", shape, batchBytes, target]),
    () =>
      module.func(
        "attention_gradient",
        new Array(4 + OPERANDS.length).fill("i32"),
        [],
        (f, begin, end, scratch, seen, ...given) => {
          const base = Object.fromEntries(OPERANDS.map((name, i) => [name, given[i]]))
          const at = Object.fromEntries(OPERANDS.map((name) => [name, f.local("i32")])) as Record<
            typeof OPERANDS[number],
            number
          >
          const here = Object.fromEntries(BLOCK_PARAMETERS.map((name) => [name, f.local("i32")])) as Addresses
          const [index, pair, firstPanel, lastPanel, panel, blockEnd, member, more, start, ranges, query] = integers(
            f,
            11,
          )
          const bytes = (name: typeof OPERANDS[number], axis: number) => 4 * (shape[name]?.[axis] ?? 0)
          const move = (
            index: Code,
            places: Readonly<Record<string, number>>,
            names: ReadonlyArray<typeof OPERANDS[number]>,
            axis: number,
          ): Code => step(index, names.map((name) => [places[name], bytes(name, axis)] as const))
          const perQuery = ["q", "factor", "logSum", "cotangent", "delta", "dq"] as const
          const perKey = ["k", "v", "dk", "dv"] as const
          const packed = (name: "k" | "v", layout: "depth" | "across", columns: number, k: number, place: number) =>
            callFunction(
              packPanels(module, layout, columns % 8),
              get(at[name]),
              i32.const(bytes(name, 2)),
              i32.const(k),
              i32.const(columns),
              i32.add(get(scratch), i32.const(place)),
            )
          const withKeys = (keys: number): Code => [
            packed("k", "depth", keys, width, lies.keyPanels),
            needsScores ? packed("v", "depth", keys, valueWidth, lies.valuePanels) : [],
            shape.dq === undefined ? [] : packed("k", "across", width, keys, lies.keyColumns),
            set(more, i32.const(0)),
            forRange(member, i32.const(0), i32.const(members), 1, [
              forRange(panel, get(firstPanel), get(lastPanel), block, [
                set(blockEnd, minimum(i32.add(get(panel), i32.const(block)), get(lastPanel))),
                BLOCK_PARAMETERS.map((name) => set(here[name], get(at[name]))),
                move(get(member), here, perQuery, 2),
                set(query, firstRow(shape, get(panel))),
                move(get(query), here, perQuery, 3),
                move(get(query), here, ["mask"], 1),
                callFunction(
                  blockFunction(context, shape, keys),
                  get(scratch),
                  get(ranges),
                  get(panel),
                  get(blockEnd),
                  get(start),
                  get(more),
                  ...BLOCK_PARAMETERS.map((name) => get(here[name])),
                ),
                set(more, i32.const(1)),
              ]),
            ]),
            increase(start, keys),
            increase(at.mask, keys * bytes("mask", 2)),
            increase(at.factor, keys * bytes("factor", 4)),
            perKey.map((name) => increase(at[name], keys * bytes(name, 2))),
          ]
          const runs = Math.ceil(count / run)
          return forRange(begin, get(begin), get(end), 1, [
            OPERANDS.map((name) => set(at[name], get(base[name]))),
            set(pair, i32.divU(get(begin), i32.const(pieces))),
            set(firstPanel, i32.const(0)),
            pieces === 1 ? [] : [
              set(index, i32.remU(get(begin), i32.const(pieces))),
              set(firstPanel, scaled(i32.remU(get(index), i32.const(runs)), run)),
              move(i32.divU(get(index), i32.const(runs)), at, perQuery, 2),
              step(get(begin), [[at.dk, 4 * keys * width], [at.dv, 4 * keys * valueWidth]]),
            ],
            set(lastPanel, minimum(i32.const(count), i32.add(get(firstPanel), i32.const(run)))),
            set(index, i32.remU(get(pair), i32.const(shared))),
            move(get(index), at, [...perQuery, ...perKey], 1),
            set(index, i32.divU(get(pair), i32.const(shared))),
            move(get(index), at, [...perQuery, ...perKey, "mask"], 0),
            set(ranges, i32.add(get(seen), scaled(get(index), batchBytes))),
            set(start, i32.const(0)),
            chunks === 1 ? [] : whileTrue(i32.ltU(get(start), i32.const(keys - lastChunk)), withKeys(chunk)),
            withKeys(lastChunk),
          ])
        },
      ),
  )
}

/** Adds the partial sums [pairs, pieces, keys, width] of dk or dv in order. */
const sumStage = ({ module }: KernelContext, shape: Shape, output: View, partial: Code, address: Code): Stage => {
  const { shared, keys, pieces } = shape
  const width = output.shape[3]
  const strides = output.strides.map((stride) => 4 * stride)
  const func = module.once(
    keyOf(["attention_gradient_sum", shared, keys, pieces, width, strides]),
    () =>
      module.func("attention_gradient_sum", new Array(4).fill("i32"), [], (f, begin, end, partial, output) => {
        const [from, to, pair, offset] = integers(f, 4)
        const sum = f.local("v128")
        const vector = (lanes: number): Code => [
          Array.from({ length: pieces }, (_, piece): Code => {
            const one = loadLanes(get(from), 1, lanes, piece * keys * width)
            return set(sum, piece === 0 ? one : f32x4.add(get(sum), one))
          }),
          storeLanes(get(to), 1, lanes, 0, get(sum)),
        ]
        const whole = 4 * (width - width % 4)
        return forRange(begin, get(begin), get(end), 1, [
          set(pair, i32.divU(get(begin), i32.const(keys))),
          set(from, i32.add(get(partial), scaled(get(begin), 4 * width))),
          increase(from, scaled(get(pair), 4 * (pieces - 1) * keys * width)),
          set(to, i32.add(get(output), scaled(i32.remU(get(begin), i32.const(keys)), strides[2]))),
          increase(to, scaled(i32.remU(get(pair), i32.const(shared)), strides[1])),
          increase(to, scaled(i32.divU(get(pair), i32.const(shared)), strides[0])),
          forRange(offset, i32.const(0), i32.const(whole), 16, vector(4), increase(from, 16), increase(to, 16)),
          width % 4 === 0 ? [] : vector(width % 4),
        ])
      }),
  )
  const rows = shape.batch * shared * keys
  return groupedStage(
    rows,
    itemsPerUnit(rows, width * pieces / 4),
    (begin, end) => callFunction(func, begin, end, partial, address),
  )
}

/** Emits `attention_gradient`: which keys are seen, then the rest, and a stage for each sum of partial results. */
export const emitAttentionGradient: KernelEmitter<AttentionGradientCall> = (given, context) => {
  const call = withQueries(given)
  // Without queries, derivatives of keys and values are sums of nothing.
  if (call.q.shape[3] === 0) {
    return [call.dk, call.dv].flatMap((view) => {
      if (view === undefined) return []
      const zero = { op: "constant", value: 0, dtype: "f32" } as const
      const outputs = [{ step: 0, view }]
      return emitRows({ kernel: "rows", space: view.shape, body: [zero], inputs: [], outputs }, context)
    })
  }
  const shape = shapeOf(call, context.target)
  const { batch, shared, keys, pieces } = shape
  const units = batch * shared * pieces
  if (units === 0) return []
  const addressOf = (view: View | undefined): Code =>
    view === undefined ? i32.const(0) : i32.add(context.address(view.buffer), i32.const(4 * view.offset))
  const sums: Array<Stage> = []
  const operands = OPERANDS.map((name): Code => {
    const view = call[name]
    if (view === undefined || pieces === 1 || name !== "dk" && name !== "dv") return addressOf(view)
    const partial = context.sharedScratch(4 * batch * shared * pieces * keys * view.shape[3])
    sums.push(sumStage(context, shape, view, partial, addressOf(view)))
    return partial
  })
  const seen = seenKeys(context, shape, call.mask)
  const func = driver(context, shape, seen.batchBytes)
  const scratch = context.threadScratch(scratchOf(shape).bytes)
  return [
    seen.stage,
    { units, run: (begin, end) => callFunction(func, begin, end, scratch, seen.table, ...operands) },
    ...sums,
  ]
}
