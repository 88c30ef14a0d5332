/**
 * Dot products of few rows with blocks of an encoding, two groups at a time: codes become f32 in registers, and the scale
 * is multiplied with the sum of a group. The rows are kept in locals, as the engine reads those from the stack without a
 * check of bounds, in the order in which codes come out; columns pass by.
 * @module
 */
import type { BlockWriting } from "../../../encoding.ts"
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
import { hoistedNumbers, joinable, joined } from "../../../wasm/wide.ts"
import type { Numbers } from "../../../wasm/vector_math.ts"
import { type Groups, placeOf } from "./groups.ts"
import { hasSums, loadRow, type RowPair } from "./row.ts"

/** Most terms of a sum before it is added to the output: all rows fit into the first-level cache. */
export const MOST_TERMS = 576
/** Most rows for which two columns pass by together: so a number of a row is loaded once for both. */
const PAIRED = { wide: 4, narrow: 1 }

/** What the code of a pass of columns is written for. */
interface Pass extends Pick<BlockWriting, "target" | "memory"> {
  readonly f: FunctionScope
  readonly numbers: Numbers
  readonly groups: Groups
  /** The pairs of groups of each row. */
  readonly rows: ReadonlyArray<ReadonlyArray<RowPair>>
  /** Locals with the place of each column's next block. */
  readonly columns: ReadonlyArray<number>
  /** Locals, by column and row, with the sums of scales times codes and of offsets. */
  readonly sums: ReadonlyArray<ReadonlyArray<readonly [scaled: number, offsets: number]>>
}

/** See `BlockProducts.dot`. */
export const fewRows = (
  { module, target, memory }: BlockWriting,
  { rows, blocks }: { readonly rows: number; readonly blocks: number },
  name: string,
  groups: Groups,
): number => {
  const title = `matmul_few_${rows}x${blocks}_${name}_${memory}_${target.relaxed}_${target.wide}`
  const params = new Array(8).fill("i32" as const)
  return module.once(
    title,
    () =>
      module.func(title, params, [], (f, a, aStride, b, bStride, columns, output, outputStride, more) => {
        const numbers = hoistedNumbers(f)
        const [row, column, half, secondB, secondOutput] = Array.from({ length: 5 }, () => f.local("i32"))
        const loaded = Array.from({ length: rows }, () => loadRow(f, groups, blocks * groups.count, row))
        const wide = target.wide && !groups.narrow
        const paired = rows <= (wide ? PAIRED.wide : PAIRED.narrow)
        const shared = { f, target, memory, numbers, groups, rows: loaded.map(({ pairs }) => pairs) }
        const pass = (places: ReadonlyArray<readonly [b: number, output: number]>): Code => {
          const sums = places.map(() => loaded.map(() => [f.local("v128"), f.local("v128")] as const))
          const own = { ...shared, columns: places.map(([b]) => b), sums }
          return [
            sums.flat(2).map((sum) => set(sum, f32x4.const(0))),
            Array.from({ length: Math.ceil(blocks * groups.count / 2) }, (_, p) => pairOfGroups(own, p)),
            places.map(([b, output], c) => [
              storeSums(f, groups, sums[c], output, outputStride, more),
              increase(output, 4),
              increase(b, i32.sub(get(bStride), i32.const(blocks * groups.blockBytes))),
            ]),
          ]
        }
        // Two streams of columns, each as long as it can be: the machine prefetches those.
        const inPairs = [
          set(half, i32.shrU(get(columns), i32.const(1))),
          set(secondB, i32.add(get(b), i32.mul(get(half), get(bStride)))),
          set(secondOutput, i32.add(get(output), i32.mul(get(half), i32.const(4)))),
          forRange(column, i32.const(0), get(half), 1, pass([[b, output], [secondB, secondOutput]])),
          when(i32.and(get(columns), i32.const(1)), pass([[secondB, secondOutput]])),
        ]
        const passes = paired ? inPairs : forRange(column, i32.const(0), get(columns), 1, pass([[b, output]]))
        return [
          set(row, get(a)),
          loaded.map(({ load }) => [load, increase(row, get(aStride))]),
          numbers.set(),
          passes,
        ]
      }),
  )
}

/** Adds two groups of each column, or the last one. */
const pairOfGroups = (pass: Pass, p: number): Code => {
  const { f, target, memory, numbers, groups, rows, columns, sums } = pass
  const places = rows[0][p].numbers.map((_, i) => 2 * p + i)
  const parts = columns.map(() => rows.map(() => places.map(() => f.local("v128"))))
  const codes = columns.map(() => places.map(() => f.local("v128")))
  const decoded = columns.map((column) => {
    const own = places.map((g) => placeOf(groups, get(column), g, 2 * p))
    const scales = f.local("v128")
    const words = inMemory(memory, () => own.map((place) => groups.words(place)))
    const held = words.map((all) => all.map(() => f.local("v128")))
    const start: Code = [
      held.map((all, i) => all.map((word, w) => set(word, words[i][w]))),
      set(scales, inMemory(memory, () => groups.scales(numbers, own[0], own.at(-1)!))),
      held.length === 1 || groups.narrow ? [] : held[0].map((word, w) => [joinable(word), joinable(held[1][w])]),
    ]
    return { start, scales, codes: held.map((all) => groups.codes(numbers, all.map(get), f)) }
  })
  const four = (v: number): Code => [
    decoded.map((own, c) => own.codes.map((all, i) => set(codes[c][i], all[v]))),
    rows.map((row, r) =>
      codes.map((own, c) =>
        own.map((code, i) => {
          const part = parts[c][r][i], factor = get(row[p].numbers[i][v])
          return set(part, v === 0 ? f32x4.mul(get(code), factor) : madd(target, get(code), factor, get(part)))
        })
      )
    ),
  ]
  const add = (c: number, r: number): Code => {
    const [scaled, offsets] = sums[c][r], { scales } = decoded[c]
    const scale = (i: number) => v128.shuffle32(get(scales), get(scales), i === 0 ? [0, 0, 0, 0] : [2, 2, 2, 2])
    return [
      parts[c][r].map((part, i) => set(scaled, madd(target, get(part), scale(i), get(scaled)))),
      hasSums(groups) ? set(offsets, madd(target, get(scales), get(rows[r][p].sums), get(offsets))) : [],
    ]
  }
  const { count, blockBytes } = groups
  const passed = Math.floor((2 * p + places.length) / count) - Math.floor(2 * p / count)
  return [
    decoded.map(({ start }) => start),
    groups.fours.map((_, v) => four(v)),
    parts.flat().map(([first, second]) => second === undefined || groups.narrow ? [] : joined(first, second)),
    columns.map((_, c) => rows.map((_, r) => add(c, r))),
    passed === 0 ? [] : columns.map((column) => increase(column, passed * blockBytes)),
  ]
}

/** Sums the lanes of a column's sums and stores them, row by row. */
const storeSums = (
  f: FunctionScope,
  groups: Groups,
  sums: ReadonlyArray<readonly [number, number]>,
  output: number,
  outputStride: number,
  more: number,
): Code => {
  const at = f.local("i32")
  return [
    set(at, get(output)),
    sums.map(([sum, offsets]) => [
      hasSums(groups) ? set(sum, f32x4.add(get(sum), get(offsets))) : [],
      set(sum, f32x4.add(get(sum), v128.shuffle32(get(sum), get(sum), [2, 3, 0, 1]))),
      set(sum, f32x4.add(get(sum), v128.shuffle32(get(sum), get(sum), [1, 0, 3, 2]))),
      when(get(more), set(sum, f32x4.add(get(sum), v128.load32Zero(get(at))))),
      v128.store32Lane(0, get(at), get(sum)),
      increase(at, get(outputStride)),
    ]),
  ]
}
