/**
 * Dot products of one row or two with plain numbers. Their sums have the bits of {@link fewRows}; but the columns are as many
 * streams as can be, since reading them is what takes the time.
 * @module
 */
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
import type { BlockWriting } from "../../../encoding.ts"
import { hoistedNumbers } from "../../../wasm/wide.ts"
import { inFours, storeTile, sumLanes } from "../dot_kernel.ts"
import { minimum } from "../operands.ts"
import { placeOf, type UnscaledGroups } from "./groups.ts"
import { rowBytes } from "./row.ts"

/** Shape of a kernel. */
interface GroupsTile {
  /** Rows of a, as `arrange` left them one after the other. */
  readonly rows: number
  /** Columns of b. */
  readonly columns: number
  /** Groups of a column, and how many are summed at a time. */
  readonly count: number
  readonly depth: number
}

/**
 * Index of the function `(a, b, bApart, output, outputStride, outputApart)`, all i32: output = a b. Addresses and distances as
 * of a `dotKernel`.
 */
export const dotGroups = (
  { module, target, memory }: BlockWriting,
  { rows, columns, count, depth }: GroupsTile,
  name: string,
  groups: UnscaledGroups,
): number => {
  const title = `matmul_groups_${rows}x${columns}_${count}_${depth}_${name}_${memory}_${target.relaxed}`
  const params = new Array(6).fill("i32" as const)
  return module.once(
    title,
    () =>
      module.func(title, params, [], (f, a, b, bApart, output, outputStride, outputApart) => {
        const tile = () => Array.from({ length: rows }, () => Array.from({ length: columns }, () => f.local("v128")))
        const [even, odd] = [tile(), tile()]
        const eachSum = (code: (r: number, c: number) => Code): Code =>
          even.map((row, r) => row.map((_, c) => code(r, c)))
        const totals = even.map((row) => inFours(row).map(() => f.local("v128")))
        const [left, now, pair] = [f.local("i32"), f.local("i32"), f.local("i32")]
        const places = [b, ...even[0].slice(1).map(() => f.local("i32"))]
        const numbers = hoistedNumbers(f)
        const stride = rowBytes(groups, count), each = 16 * groups.fours.length
        const words = places.map((place) => inMemory(memory, () => groups.words(placeOf(groups, get(place), 0, 0))))
        const held = words[0].map(() => f.local("v128")), codes = groups.codes(numbers, held.map(get), f)
        const perWord = codes.length / held.length
        const lefts = even.map(() => Array.from({ length: perWord }, () => f.local("v128")))
        const addGroup = (sums: typeof even): Code => [
          held.map((word, w) => [
            lefts.map((own, r) =>
              own.map((left, v) => set(left, v128.load(get(a), stride * r + 16 * (perWord * w + v))))
            ),
            places.map((_, c) => [
              set(word, words[c][w]),
              lefts[0].map((_, v) =>
                lefts.map((own, r) =>
                  set(sums[r][c], madd(target, codes[perWord * w + v], get(own[v]), get(sums[r][c])))
                )
              ),
            ]),
          ]),
          increase(a, each),
          places.map((place) => increase(place, groups.blockBytes)),
        ]
        const clear = (sums: typeof even): Code => eachSum((r, c) => set(sums[r][c], f32x4.const(0)))
        const addOdd = eachSum((r, c) => set(even[r][c], f32x4.add(get(even[r][c]), get(odd[r][c]))))
        return [
          numbers.set(),
          places.slice(1).map((place, i) => set(place, i32.add(get(places[i]), get(bApart)))),
          totals.map((row) => row.map((total) => set(total, f32x4.const(-0)))),
          set(left, i32.const(count)),
          whileTrue(
            get(left),
            set(now, minimum(f, get(left), i32.const(depth))),
            increase(left, i32.sub(i32.const(0), get(now))),
            [even, odd].map(clear),
            forRange(pair, i32.const(1), get(now), 2, addGroup(even), addGroup(odd)),
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
