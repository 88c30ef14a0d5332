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
  addressOf,
  bytesAlong,
  firstRow,
  integers,
  lesser,
  RANGE_BYTES,
  step,
  unionOf,
  withQueries,
} from "../attention/wasm/parts.ts"
import { packColumns } from "../attention/wasm/products.ts"
import { type SeenKeys, seenKeys } from "../attention/wasm/ranges.ts"
import { keyOf } from "../collapse.ts"
import type { View } from "../contract.ts"
import type { AttentionGradientCall } from "./call.ts"
import { scaled } from "../matmul/wasm/operands.ts"
import { emitRows } from "../rows/wasm.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  set,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { loadLanes, storeLanes } from "../wasm/lanes.ts"
import { blockFunction } from "./wasm/block.ts"
import { type Addresses, BLOCK_PARAMETERS } from "./wasm/block_parts.ts"
import { needsScores, scratchOf, type Shape, shapeOf } from "./wasm/shape.ts"

/** Parameters of the driver, one address each. */
const OPERANDS = ["q", "k", "v", "bias", "factor", "logSum", "cotangent", "delta", "dq", "dk", "dv"] as const

/**
 * Index of the function `(begin, end, scratch, panels, queries, ...operands)`, all i32, that runs units; `panels` and
 * `queries` are the tables of {@link seenKeys}.
 */
const driver = (context: KernelContext, shape: Shape, { panelBytes, queryBytes }: SeenKeys): number => {
  const { module, target } = context
  const { shared, keys, width, valueWidth, count, chunk, chunks, lastChunk, members, run, pieces, block } = shape
  const lies = scratchOf(shape)
  return module.once(
    keyOf(["attention_gradient", shape, panelBytes, queryBytes, target]),
    () =>
      module.func(
        "attention_gradient",
        new Array(5 + OPERANDS.length).fill("i32"),
        [],
        (f, begin, end, scratch, seen, bounds, ...given) => {
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
          const [bounds0, first, until] = integers(f, 3)
          const bytes = (name: typeof OPERANDS[number], axis: number) => bytesAlong(shape[name], axis)
          const move = (
            index: Code,
            places: Readonly<Record<string, number>>,
            names: ReadonlyArray<typeof OPERANDS[number]>,
            axis: number,
          ): Code => step(index, names.map((name) => [places[name], bytes(name, axis)] as const))
          const perQuery = ["q", "bias", "factor", "logSum", "cotangent", "delta", "dq"] as const
          const perKey = ["k", "v", "dk", "dv"] as const
          const packed = (name: "k" | "v", layout: "depth" | "across", columns: number, k: number, place: number) =>
            callFunction(
              packColumns(module, layout, columns % 8),
              get(at[name]),
              i32.const(bytes(name, 2)),
              i32.const(k),
              i32.const(columns),
              i32.add(get(scratch), i32.const(place)),
              i32.const(32 * k),
            )
          /** Whether a query of the unit sees some of the chunk's keys. */
          const sees = (keys: number): Code => {
            const inRange = i32.and(
              i32.ltU(get(start), get(until)),
              i32.gtU(i32.add(get(start), i32.const(keys)), get(first)),
            )
            return shape.head === 0 ? inRange : i32.or(inRange, i32.ltU(get(start), i32.const(shape.head)))
          }
          const withKeys = (keys: number): Code => [
            when(sees(keys), [
              packed("k", "depth", keys, width, lies.keyPanels),
              needsScores(shape) ? packed("v", "depth", keys, valueWidth, lies.valuePanels) : [],
              shape.dq === undefined ? [] : packed("k", "across", width, keys, lies.keyColumns),
            ]),
            set(more, i32.const(0)),
            forRange(member, i32.const(0), i32.const(members), 1, [
              forRange(panel, get(firstPanel), get(lastPanel), block, [
                set(blockEnd, lesser(i32.add(get(panel), i32.const(block)), get(lastPanel))),
                BLOCK_PARAMETERS.map((name) => set(here[name], get(name === "bounds" ? bounds0 : at[name]))),
                move(get(member), here, perQuery, 2),
                set(query, firstRow(shape, get(panel))),
                move(get(query), here, perQuery, 3),
                increase(here.bounds, scaled(get(query), RANGE_BYTES)),
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
            increase(at.bias, keys * bytes("bias", 4)),
            shape.period > 0 ? [] : increase(at.factor, keys * bytes("factor", 4)),
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
            set(lastPanel, lesser(i32.const(count), i32.add(get(firstPanel), i32.const(run)))),
            set(index, i32.remU(get(pair), i32.const(shared))),
            move(get(index), at, [...perQuery, ...perKey], 1),
            set(index, i32.divU(get(pair), i32.const(shared))),
            move(get(index), at, [...perQuery, ...perKey], 0),
            set(ranges, i32.add(get(seen), scaled(get(index), panelBytes))),
            set(bounds0, i32.add(get(bounds), scaled(get(index), queryBytes))),
            unionOf(f, {
              table: i32.add(get(ranges), scaled(get(firstPanel), RANGE_BYTES)),
              count: i32.sub(get(lastPanel), get(firstPanel)),
            }, [first, until]),
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
  const sums: Array<Stage> = []
  const operands = OPERANDS.map((name): Code => {
    const view = call[name]
    if (view === undefined || pieces === 1 || name !== "dk" && name !== "dv") return addressOf(context, view)
    const partial = context.sharedScratch(4 * batch * shared * pieces * keys * view.shape[3])
    sums.push(sumStage(context, shape, view, partial, addressOf(context, view)))
    return partial
  })
  const queries = call.q.shape[3], together = given.q.shape[3] === 1
  const seen = seenKeys(context, shape, call, { batch, queries, keys, together })
  const func = driver(context, shape, seen)
  const scratch = context.threadScratch(scratchOf(shape).bytes)
  return [
    seen.stage,
    { units, run: (begin, end) => callFunction(func, begin, end, scratch, seen.panels, seen.queries, ...operands) },
    ...sums,
  ]
}
