/**
 * Dot products of a row or two with plain numbers, or with few columns. Their sums have the bits of {@link fewRows}; but the
 * columns are as many streams as can be: what takes the time is reading them.
 * @module
 */
import type { BlockWriting } from "../../../encoding.ts"
import {
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  inMemory,
  madd,
  set,
  v128,
  when,
  whileTrue,
} from "../../../wasm/assembler.ts"
import { hoistedNumbers } from "../../../wasm/wide.ts"
import { inFours, storeTile, sumLanes } from "../dot_kernel.ts"
import { minimum } from "../operands.ts"
import { placeOf, type UnscaledGroups } from "./groups.ts"

/** Shape of a kernel. */
interface GroupsTile {
  /** Rows of a, arranged as the fours of the groups. */
  readonly rows: number
  /** Columns of b. */
  readonly columns: number
  /** Groups that are summed at a time. */
  readonly depth: number
}

/** Index of a function as `dotKernel` gives it, for a k of whole groups. */
export const dotGroups = (
  { module, target, memory }: BlockWriting,
  { rows, columns, depth }: GroupsTile,
  name: string,
  groups: UnscaledGroups,
): number => {
  const title = `matmul_groups_${rows}x${columns}_${depth}_${name}_${memory}_${target.relaxed}`
  const params = new Array(8).fill("i32" as const)
  return module.once(
    title,
    () =>
      module.func(title, params, [], (f, a, aStride, b, bApart, k, output, outputStride, outputApart) => {
        const numbers = hoistedNumbers(f)
        const [left, now, group] = [f.local("i32"), f.local("i32"), f.local("i32")]
        const tile = () => Array.from({ length: rows }, () => Array.from({ length: columns }, () => f.local("v128")))
        const even = tile(), odd = tile(), totals = even.map((row) => inFours(row).map(() => f.local("v128")))
        const aRows = [a, ...even.slice(1).map(() => f.local("i32"))]
        const bColumns = [b, ...even[0].slice(1).map(() => f.local("i32"))]
        const words = bColumns.map((b) => inMemory(memory, () => groups.words(placeOf(groups, get(b), 0, 0))))
        const held = words[0].map(() => f.local("v128")), codes = groups.codes(numbers, held.map(get), f)
        const each = codes.length / held.length
        const fours = aRows.map(() => Array.from({ length: each }, () => f.local("v128")))
        const eachSum = (code: (r: number, c: number) => Code): Code =>
          even.map((row, r) => row.map((_, c) => code(r, c)))
        const addGroup = (sums: typeof even): Code => [
          held.map((word, w) => [
            fours.map((own, r) => own.map((four, v) => set(four, v128.load(get(aRows[r]), 16 * (each * w + v))))),
            bColumns.map((_, c) => [
              set(word, words[c][w]),
              fours.map((own, r) =>
                own.map((four, v) => set(sums[r][c], madd(target, codes[each * w + v], get(four), get(sums[r][c]))))
              ),
            ]),
          ]),
          aRows.map((row) => increase(row, 16 * codes.length)),
          bColumns.map((column) => increase(column, groups.blockBytes)),
        ]
        const clear = (sums: typeof even): Code => eachSum((r, c) => set(sums[r][c], f32x4.const(0)))
        const addOdd = eachSum((r, c) => set(even[r][c], f32x4.add(get(even[r][c]), get(odd[r][c]))))
        return [
          numbers.set(),
          aRows.slice(1).map((row, r) => set(row, i32.add(get(aRows[r]), get(aStride)))),
          bColumns.slice(1).map((column, c) => set(column, i32.add(get(bColumns[c]), get(bApart)))),
          // What any sum can be added to without a change.
          totals.flat().map((total) => set(total, f32x4.const(-0))),
          set(left, i32.divU(get(k), i32.const(groups.block))),
          whileTrue(
            get(left),
            set(now, minimum(f, get(left), i32.const(depth))),
            set(left, i32.sub(get(left), get(now))),
            [clear(even), clear(odd)],
            forRange(group, i32.const(1), get(now), 2, addGroup(even), addGroup(odd)),
            addOdd,
            when(i32.and(get(now), i32.const(1)), [clear(odd), addGroup(odd), addOdd]),
            even.map((row, r) =>
              inFours(row).map((own, i) => [
                sumLanes(own),
                set(totals[r][i], f32x4.add(get(own[0]), get(totals[r][i]))),
              ])
            ),
          ),
          storeTile(f, totals, columns, { output, outputStride, outputApart }),
        ]
      }),
  )
}
