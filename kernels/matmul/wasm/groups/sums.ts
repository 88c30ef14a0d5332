/**
 * Sums of products of few rows with blocks of an encoding.
 * @module
 */
import { type Code, f32x4, type FunctionScope, get, increase, set, v128, when } from "../../../wasm/assembler.ts"
import { joined } from "../../../wasm/wide.ts"
import { sumLanes } from "../dot_kernel.ts"

/** Locals with sums of a row and a column. */
export interface Sums {
  /** Of one group, or of two. */
  readonly groups: readonly [number, number]
  /** Of offsets, and of groups times their scales: of even groups and of odd ones. */
  readonly scaled: readonly [number, number]
  /** Of the last group times its scale, where it is alone; else 0. */
  readonly last: number
}

/** Locals of an output. */
interface Output {
  /** By column, the place of the first row. */
  readonly places: ReadonlyArray<number>
  /** Bytes to the next row. */
  readonly outputStride: number
  /** Not 0 to add to what is there. */
  readonly more: number
}

/**
 * Adds up the sums of columns with up to four rows, and stores them. Columns may have the same place: all read before one
 * writes.
 *
 * @param columns The sums by column and row.
 * @param output Its places move on.
 */
export const storeSums = (
  f: FunctionScope,
  columns: ReadonlyArray<ReadonlyArray<Sums>>,
  wide: boolean,
  { places, outputStride, more }: Output,
): Code => {
  const from = f.local("i32"), before = f.local("v128")
  const sums = columns.map((rows) => rows.map(({ scaled }) => scaled[0]))
  return [
    columns.flat().map(({ scaled: [even, odd], last }) => [
      wide ? joined(even, odd) : [],
      set(even, f32x4.add(f32x4.add(get(even), get(odd)), get(last))),
    ]),
    sums.map(sumLanes),
    when(
      get(more),
      sums.map((own, c) => [
        set(from, get(places[c])),
        own.map((_, lane) => [
          set(before, lane === 0 ? v128.load32Zero(get(from)) : v128.load32Lane(lane, get(from), get(before))),
          increase(from, get(outputStride)),
        ]),
        set(own[0], f32x4.add(get(own[0]), get(before))),
      ]),
    ),
    sums.map(([all, ...others], c) =>
      [all, ...others].map((_, lane) => [
        v128.store32Lane(lane, get(places[c]), get(all)),
        increase(places[c], get(outputStride)),
      ])
    ),
  ]
}
