/**
 * Dot products of few rows with blocks of an encoding: codes become f32, and a scale is multiplied with the sum of a group. The
 * rows are kept in locals, as the engine reads those from the stack without a check of bounds, in the order in which codes come
 * out; two columns at a time pass by.
 *
 * The first four rows take the codes of both columns as they come, in registers. More rows follow, as many at a time, and meet
 * them in locals: each block is decoded once.
 * @module
 */
import type { BlockProducts, BlockWriting } from "../../../encoding.ts"
import {
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  inMemory,
  madd,
  set,
  v128,
  when,
} from "../../../wasm/assembler.ts"
import { hoistedNumbers, joinable } from "../../../wasm/wide.ts"
import type { Numbers } from "../../../wasm/vector_math.ts"
import { type GroupPlace, PART, placeOf, type UnscaledGroups } from "./groups.ts"
import { hasSums, loadRow, rowBytes, type RowPart } from "./row.ts"
import { storeSums, type Sums } from "./sums.ts"

/** Most terms of a sum before it is added to the output: all rows fit into the first-level cache. */
const MOST_TERMS = 576
/** Most rows that take codes together: their sums of groups with two columns are in 8 registers. */
const MOST_TOGETHER = 4

/** How many blocks {@link fewRows} takes at a time, and what it needs. */
export const limitsOf = (groups: UnscaledGroups): Pick<BlockProducts, "most" | "scratchBytes"> => {
  const most = Math.max(1, Math.floor(MOST_TERMS / groups.block))
  return { most, scratchBytes: rowBytes(groups, most * groups.count) }
}

/** What the code of a pass of columns is written for. */
interface Pass extends Pick<BlockWriting, "target" | "memory"> {
  readonly f: FunctionScope
  readonly numbers: Numbers
  readonly groups: UnscaledGroups
  /** Parts of each row. */
  readonly rows: ReadonlyArray<ReadonlyArray<RowPart>>
  /** Whether the engine joins what is done with two groups. */
  readonly wide: boolean
  readonly columns: ReadonlyArray<Column>
}

/** Locals of a column. */
interface Column {
  /** The place of its next block. */
  readonly block: number
  /** By row of those that take codes together. */
  readonly sums: ReadonlyArray<Sums>
  /** By part, scales and offsets: see `Groups.scales`. */
  readonly scales: ReadonlyArray<readonly [number, number]>
  /** By part, group and four. */
  readonly codes: ReadonlyArray<ReadonlyArray<ReadonlyArray<number>>>
}

/** See `BlockProducts.dot`. */
export const fewRows = (
  { module, target, memory }: BlockWriting,
  { rows, blocks }: { readonly rows: number; readonly blocks: number },
  name: string,
  groups: UnscaledGroups,
): number => {
  const title = `matmul_few_${rows}x${blocks}_${name}_${memory}_${target.relaxed}_${target.wide}`
  const params = new Array(9).fill("i32" as const)
  return module.once(
    title,
    () =>
      module.func(title, params, [], (f, a, aStride, b, bStride, columns, output, outputStride, more, scratch) => {
        const numbers = hoistedNumbers(f)
        const [row, column, half, secondB, secondOutput, end] = Array.from({ length: 6 }, () => f.local("i32"))
        const count = blocks * groups.count
        const loaded = Array.from({ length: rows }, () => loadRow({ module, f }, name, groups, count, row, scratch))
        const wide = target.wide === true && !groups.narrow
        const shared = { f, target, memory, numbers, groups, wide, rows: loaded.map(({ parts }) => parts) }
        const two = [b, secondB].map((block) => columnOf(f, shared.rows, groups, block))
        const outputs = [output, secondOutput], places = outputs.map(() => f.local("i32"))
        const store = (rows: number): Code =>
          storeSums(f, two.map(({ sums }) => sums.slice(0, rows)), wide, { places, outputStride, more })
        const pass: Code = [
          places.map((place, c) => set(place, get(outputs[c]))),
          passOfColumns({ ...shared, columns: two }, store),
          outputs.map((place) => increase(place, 4)),
          two.map(({ block }) => increase(block, i32.sub(get(bStride), i32.const(blocks * groups.blockBytes)))),
        ]
        return [
          set(row, get(a)),
          loaded.map(({ load }) => [load, increase(row, get(aStride))]),
          numbers.set(),
          // Two streams of columns, each as long as it can be: the machine prefetches those. Of an odd number the last column is
          // done twice at once.
          set(half, i32.shrU(get(columns), i32.const(1))),
          set(end, i32.sub(get(columns), get(half))),
          set(secondB, i32.add(get(b), i32.mul(get(end), get(bStride)))),
          set(secondOutput, i32.add(get(output), i32.mul(get(end), i32.const(4)))),
          forRange(
            column,
            i32.const(0),
            get(end),
            1,
            when(i32.eq(get(column), get(half)), [set(secondB, get(b)), set(secondOutput, get(output))]),
            pass,
          ),
        ]
      }),
  )
}

const columnOf = (f: FunctionScope, [row]: Pass["rows"], { fours }: UnscaledGroups, block: number): Column => {
  const two = () => [f.local("v128"), f.local("v128")] as const
  return {
    block,
    sums: Array.from({ length: MOST_TOGETHER }, () => ({ groups: two(), scaled: two(), last: f.local("v128") })),
    scales: row.map(two),
    codes: row.map(({ numbers }) => numbers.map(() => fours.map(() => f.local("v128")))),
  }
}

/** All sums of the rows with two columns. `store` stores those of so many rows. */
const passOfColumns = (pass: Pass, store: (rows: number) => Code): Code => {
  const { groups, rows, columns } = pass
  const parts = rows[0].map(({ numbers }, p) => {
    const end = PART * p + numbers.length
    const passed = Math.floor(end / groups.count) - Math.floor(PART * p / groups.count)
    return {
      p,
      scales: scalesOf(pass, p),
      decoded: stepsOf(pass, p).map((step) => ({ step, ...decodedGroups(pass, p, step) })),
      next: passed === 0 ? [] : columns.map(({ block }) => increase(block, passed * groups.blockBytes)),
    }
  })
  const together = Math.ceil(rows.length / Math.ceil(rows.length / MOST_TOGETHER))
  const count = Math.ceil(rows.length / together)
  const [first, ...others] = Array.from({ length: count }, (_, i) => rows.slice(i * together, (i + 1) * together))
  return [
    parts.map(({ p, scales, decoded, next }) => [
      scales,
      addOffsets(pass, p, first),
      decoded.map(({ step, start, codes }) => [start, addGroups(pass, p, step, first, codes)]),
      next,
    ]),
    store(first.length),
    others.map((own) => [
      parts.map(({ p, decoded }) => [
        addOffsets(pass, p, own),
        decoded.map(({ step }) => addGroups(pass, p, step, own)),
      ]),
      store(own.length),
    ]),
  ]
}

/** The groups of a part that are done at once: two, to be joined, or one. */
const stepsOf = ({ rows, wide }: Pass, p: number): ReadonlyArray<ReadonlyArray<number>> => {
  const all = rows[0][p].numbers.map((_, t) => t)
  return wide ? [all.slice(0, 2), all.slice(2)].filter(({ length }) => length > 0) : all.map((t) => [t])
}

const placesOf = ({ groups, rows }: Pass, { block }: Column, p: number): ReadonlyArray<GroupPlace> =>
  rows[0][p].numbers.map((_, t) => placeOf(groups, get(block), PART * p + t, PART * p))

/** Sets the scales of a part. */
const scalesOf = (pass: Pass, p: number): Code => {
  const { f, memory, numbers, groups: { scales } } = pass
  if (scales === undefined) return []
  return pass.columns.map((column): Code => {
    const both = inMemory(memory, () => scales(numbers, placesOf(pass, column, p), f))
    return column.scales[p].map((local, i) => set(local, both[i]))
  })
}

/** Code that decodes one or two groups of each column: what comes first, and by four what sets its codes. */
const decodedGroups = (
  pass: Pass,
  p: number,
  step: ReadonlyArray<number>,
): { readonly start: Code; readonly codes: ReadonlyArray<Code> } => {
  const { f, memory, numbers, groups, columns } = pass
  const decoded = columns.map((column) => {
    const places = placesOf(pass, column, p)
    const words = inMemory(memory, () => step.map((t) => groups.words(places[t])))
    const held = words.map((all) => all.map(() => f.local("v128")))
    const load = held[0].map((_, w): Code => [
      held.map((all, i) => set(all[w], words[i][w])),
      held.length === 1 ? [] : held.map((all) => joinable(all[w])),
    ])
    // Plain numbers are many words: each comes when its turn is.
    const inTurn = groups.scales === undefined, each = groups.fours.length / load.length
    const codes = held.map((all) => groups.codes(numbers, all.map(get), f))
    return {
      start: inTurn ? [] : load,
      four: (v: number): Code => [
        inTurn && v % each === 0 ? load[v / each] : [],
        step.map((t, i) => set(column.codes[p][t][v], codes[i][v])),
      ],
    }
  })
  return {
    start: decoded.map(({ start }) => start),
    codes: groups.fours.map((_, v) => decoded.map(({ four }) => four(v))),
  }
}

/** Adds the offsets of a part to the sums of rows, which begin with those of the first. */
const addOffsets = ({ target, groups, columns }: Pass, p: number, rows: Pass["rows"]): Code =>
  rows.map((row, r) =>
    columns.map(({ sums, scales }): Code => [
      groups.scales === undefined && p === 0 ? set(sums[r].last, f32x4.const(0)) : [],
      sums[r].scaled.map((sum, i): Code => {
        if (!hasSums(groups)) return p === 0 ? set(sum, f32x4.const(0)) : []
        const [scale, own] = [get(scales[p][i]), get(row[p].sums[i])]
        return set(sum, p === 0 ? f32x4.mul(scale, own) : madd(target, scale, own, get(sum)))
      }),
    ])
  )

/** Adds one or two groups to the sums of rows; `codes` sets those of each four, unless they are there. */
const addGroups = (
  { f, target, groups, columns }: Pass,
  p: number,
  step: ReadonlyArray<number>,
  rows: Pass["rows"],
  codes: ReadonlyArray<Code> = [],
): Code => {
  const scale = columns.map(() => step.map(() => f.local("v128")))
  const alone = step.length === 1 && step[0] % 2 === 0 && step[0] + 1 === rows[0][p].numbers.length
  const plain = groups.scales === undefined
  /** Where the products of a group are summed: without a scale, where the groups are. */
  const sumOf = ({ groups: own, scaled, last }: Sums, t: number, i: number): number =>
    !plain ? own[i] : alone ? last : scaled[t % 2]
  const eachSum = (code: (c: number, r: number, t: number, i: number) => Code): Code =>
    rows.map((_, r) => columns.map((_, c) => step.map((t, i) => code(c, r, t, i))))
  return [
    groups.fours.map((_, v) => [
      codes[v] ?? [],
      eachSum((c, r, t, i) => {
        const { sums, codes } = columns[c]
        const sum = sumOf(sums[r], t, i), code = get(codes[p][t][v]), factor = get(rows[r][p].numbers[t][v])
        return set(sum, v === 0 && !plain ? f32x4.mul(code, factor) : madd(target, code, factor, get(sum)))
      }),
    ]),
    plain ? [] : columns.map(({ scales }, c) =>
      step.map((t, i) => {
        const from = get(scales[p][t % 2]), lane = 2 * (t >> 1)
        return set(scale[c][i], v128.shuffle32(from, from, [lane, lane, lane, lane]))
      })
    ),
    plain ? [] : eachSum((c, r, t, i) => {
      const { groups: own, scaled, last } = columns[c].sums[r]
      const [part, by, sum] = [get(own[i]), get(scale[c][i]), scaled[t % 2]]
      return alone ? set(last, f32x4.mul(part, by)) : set(sum, madd(target, part, by, get(sum)))
    }),
  ]
}
