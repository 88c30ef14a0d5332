/**
 * A row of f32 in locals, in the order in which the codes of an encoding come out.
 * @module
 */
import { type Code, f32, f32x4, type FunctionScope, get, set, v128 } from "../../../wasm/assembler.ts"
import { joinable } from "../../../wasm/wide.ts"
import type { Groups } from "./groups.ts"
import { rearranged } from "./transposed.ts"

/** Locals of two groups of a row, or of the last one. */
export interface RowPair {
  /** The numbers, by group and four, times the factors. */
  readonly numbers: ReadonlyArray<ReadonlyArray<number>>
  /** For each group its sum times the bias, and times the sign of offsets: what scales and offsets are multiplied by. */
  readonly sums: number
}

/** A row in locals. */
export interface Row {
  /** Its groups, two by two. */
  readonly pairs: ReadonlyArray<RowPair>
  /** Code that loads it. */
  readonly load: Code
}

/** A row of so many groups; `from` is a local with its byte address. */
export const loadRow = (f: FunctionScope, groups: Groups, count: number, from: number): Row => {
  const fours = () => groups.fours.map(() => f.local("v128"))
  const pairs = Array.from({ length: Math.ceil(count / 2) }, (_, p): RowPair => ({
    numbers: Array.from({ length: Math.min(2, count - 2 * p) }, fours),
    sums: f.local("v128"),
  }))
  const bytes = 16 * groups.fours.length
  const load = pairs.map(({ numbers, sums }, p): Code => {
    const [first, second] = numbers
    return [
      numbers.map((own, i) => [
        loadGroup(f, groups, own, from, bytes * (2 * p + i)),
        hasSums(groups) ? sumGroup(f, groups, own, sums, i) : [],
        groups.fours.map(({ factor = 1 }, v) =>
          factor === 1 ? [] : set(own[v], f32x4.mul(get(own[v]), f32x4.const(factor)))
        ),
      ]),
      second === undefined || groups.narrow ? [] : first.map((local, v) => [joinable(local), joinable(second[v])]),
    ]
  })
  return { pairs, load }
}

/** Whether sums of a row matter. */
export const hasSums = ({ bias = 0, sign = 0 }: { readonly bias?: number; readonly sign?: number }): boolean =>
  bias !== 0 || sign !== 0

const loadGroup = (
  f: FunctionScope,
  { fours }: Groups,
  own: ReadonlyArray<number>,
  from: number,
  at: number,
): Code => rearranged(f, fours, true, (first) => v128.load(get(from), at + 4 * first), (v, four) => set(own[v], four))

/** Puts the sum of group `i` of a pair into its {@link RowPair.sums}. */
const sumGroup = (
  f: FunctionScope,
  { bias = 0, sign }: Groups,
  own: ReadonlyArray<number>,
  sums: number,
  i: number,
): Code => {
  const lanes = f.local("v128"), sum = f.local("f32")
  const [first, ...others] = [0, 1, 2, 3].map((lane) => f32x4.extractLane(get(lanes), lane))
  const put = (lane: number, factor: number) =>
    set(sums, f32x4.replaceLane(get(sums), lane, f32.mul(get(sum), f32.const(factor))))
  return [
    set(lanes, own.slice(1).reduce<Code>((all, four) => f32x4.add(all, get(four)), get(own[0]))),
    set(sum, others.reduce((all, lane) => f32.add(all, lane), first)),
    bias === 0 ? [] : put(2 * i, bias),
    sign === undefined ? [] : put(2 * i + 1, sign),
  ]
}
