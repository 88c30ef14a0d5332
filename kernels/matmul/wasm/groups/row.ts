/**
 * A row of f32 in locals, in the order in which the codes of an encoding come out.
 * @module
 */
import {
  call,
  type Code,
  f32,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  type ModuleBuilder,
  set,
  v128,
} from "../../../wasm/assembler.ts"
import { joinable } from "../../../wasm/wide.ts"
import { PART, type UnscaledGroups } from "./groups.ts"
import { rearranged } from "./transposed.ts"

/** Locals of the groups of a part. */
export interface RowPart {
  /** The numbers, by group and four, times the factors. */
  readonly numbers: ReadonlyArray<ReadonlyArray<number>>
  /** What scales and offsets are multiplied by, as `Groups.scales` has them: sums of groups times the bias, and times the sign. */
  readonly sums: readonly [number, number]
}

/** A row in locals. */
export interface Row {
  /** Its groups, {@link PART} by {@link PART}. */
  readonly parts: ReadonlyArray<RowPart>
  /** Code that loads it. */
  readonly load: Code
}

/** Bytes of a group in f32, and of the sums of a part: two vectors. */
const bytesOf = ({ fours }: UnscaledGroups) => 16 * fours.length
const SUMS_BYTES = 32

/** Bytes of a row of so many groups that is arranged. */
export const rowBytes = (groups: UnscaledGroups, count: number): number =>
  count * bytesOf(groups) + Math.ceil(count / PART) * SUMS_BYTES

/**
 * A row of so many groups.
 *
 * @param from Local with its byte address.
 * @param scratch Local with the address of {@link rowBytes}.
 */
export const loadRow = (
  { module, f }: { readonly module: ModuleBuilder; readonly f: FunctionScope },
  name: string,
  groups: UnscaledGroups,
  count: number,
  from: number,
  scratch: number,
): Row => {
  const { fours, narrow } = groups
  const parts = Array.from({ length: Math.ceil(count / PART) }, (_, p): RowPart => ({
    numbers: Array.from({ length: Math.min(PART, count - PART * p) }, () => fours.map(() => f.local("v128"))),
    sums: [f.local("v128"), f.local("v128")],
  }))
  const sumsAt = count * bytesOf(groups)
  const both = (low: number, high: number | undefined): Code =>
    narrow || high === undefined ? [] : [joinable(low), joinable(high)]
  const load = parts.map(({ numbers, sums }, p): Code => [
    numbers.map((own, t) =>
      own.map((local, v) => set(local, v128.load(get(scratch), (PART * p + t) * bytesOf(groups) + 16 * v)))
    ),
    [0, 2].map((t) => numbers[t]?.map((local, v) => both(local, numbers[t + 1]?.[v])) ?? []),
    hasSums(groups)
      ? [sums.map((local, i) => set(local, v128.load(get(scratch), sumsAt + SUMS_BYTES * p + 16 * i))), both(...sums)]
      : [],
  ])
  return { parts, load: [call(arrange(module, name, groups), get(from), get(scratch), i32.const(count)), load] }
}

/** Whether sums of a row matter. */
export const hasSums = ({ bias = 0, sign = 0 }: { readonly bias?: number; readonly sign?: number }): boolean =>
  bias !== 0 || sign !== 0

/** Index of the function `(from, to, count)`, all i32: writes a row of so many groups as {@link loadRow} reads it. */
export const arrange = (module: ModuleBuilder, name: string, groups: UnscaledGroups): number => {
  const title = `matmul_arrange_${name}`
  return module.once(title, () =>
    module.func(title, ["i32", "i32", "i32"], [], (f, from, to, count) => {
      const { fours } = groups
      const own = fours.map(() => f.local("v128")), sums = f.local("i32"), group = f.local("i32")
      return [
        set(sums, i32.add(get(to), i32.mul(get(count), i32.const(bytesOf(groups))))),
        // The last part may have fewer groups.
        hasSums(groups) ? [0, 16].map((at) => v128.store(lastPart(sums, count), f32x4.const(0), at)) : [],
        forRange(
          group,
          i32.const(0),
          get(count),
          1,
          rearranged(f, fours, true, (first) => v128.load(get(from), 4 * first), (v, four) => set(own[v], four)),
          hasSums(groups) ? storeSum(f, groups, own, partOf(sums, group)) : [],
          fours.map(({ factor = 1 }, v) =>
            v128.store(get(to), factor === 1 ? get(own[v]) : f32x4.mul(get(own[v]), f32x4.const(factor)), 16 * v)
          ),
          increase(from, bytesOf(groups)),
          increase(to, bytesOf(groups)),
        ),
      ]
    }))
}

const shifted = (value: Code, by: number): Code => by > 0 ? i32.shl(value, i32.const(by)) : value
const lastPart = (sums: number, count: number): Code =>
  i32.add(get(sums), i32.and(shifted(i32.sub(get(count), i32.const(1)), 3), i32.const(-SUMS_BYTES)))
/** The place of a group's sums: of even groups in one vector, of odd ones in the other, two lanes each. */
const partOf = (sums: number, group: number): Code => {
  const [part, odd, second] = [[-PART, 3], [1, 4], [2, 2]].map(([bits, by]) =>
    shifted(i32.and(get(group), i32.const(bits)), by)
  )
  return i32.add(get(sums), i32.add(part, i32.add(odd, second)))
}

/** Stores the sum of a group times bias and sign. */
const storeSum = (f: FunctionScope, groups: UnscaledGroups, own: ReadonlyArray<number>, place: Code): Code => {
  const lanes = f.local("v128"), at = f.local("i32")
  const [first, ...others] = [0, 1, 2, 3].map((lane) => f32x4.extractLane(get(lanes), lane))
  const [bias, sign] = new Int32Array(Float32Array.of(groups.bias ?? 0, groups.sign ?? 0).buffer)
  const factors = v128.const(bias, sign, 0, 0)
  return [
    set(lanes, own.slice(1).reduce<Code>((all, four) => f32x4.add(all, get(four)), get(own[0]))),
    set(lanes, f32x4.mul(f32x4.splat(others.reduce((all, lane) => f32.add(all, lane), first)), factors)),
    set(at, place),
    v128.store64Lane(0, get(at), get(lanes)),
  ]
}
