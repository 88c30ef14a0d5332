/**
 * A row of scores in WebAssembly: which of its keys the query sees.
 * @module
 */
import { type Code, type FunctionScope, get, i32, i32x4, select, set, v128 } from "../../wasm/assembler.ts"
import { integers } from "./parts.ts"

/** How the keys `first <= key < end` (locals) of a row are walked. */
export interface KeyRange {
  /** Reads the query's range from the address in a local. */
  readonly begin: (bounds: number) => Code
  /** Neighbouring parts, in whole steps of eight keys up to `whole`; in some of them keys may be hidden. */
  readonly parts: ReadonlyArray<{ readonly from: Code; readonly to: Code; readonly hides: boolean }>
  /** Local: where the whole steps end. */
  readonly whole: number
  /** All ones in the lanes of visible keys: four of them from `place` keys behind `key` on. */
  readonly visible: (key: Code, place: number) => Code
}

/**
 * Prepares the walk.
 *
 * @param apart First keys, of all rows, that are visible outside of the range.
 * @param whole Keys in whole steps of eight.
 * @param start Local with what is taken from the bounds: the first key of the row. Default: 0.
 */
export const keyRange = (
  f: FunctionScope,
  { first, end, apart, whole, start }: Readonly<Record<"first" | "end" | "apart" | "whole", number>> & {
    readonly start?: number
  },
): KeyRange => {
  const [from, to, last] = integers(f, 3)
  const [base, span, some] = [f.local("v128"), f.local("v128"), f.local("v128")]
  const least = (a: Code, b: Code): Code => select(a, b, i32.ltS(a, b))
  const most = (a: Code, b: Code): Code => select(a, b, i32.gtS(a, b))
  const lanes = v128.const(0, 1, 2, 3)
  const moved = (value: Code): Code => start === undefined ? value : i32.sub(value, get(start))
  return {
    begin: (bounds) => [
      set(from, moved(i32.load(get(bounds)))),
      set(to, moved(i32.load(get(bounds), 4))),
      set(base, i32x4.sub(lanes, i32x4.splat(get(from)))),
      set(span, i32x4.splat(i32.sub(get(to), get(from)))),
      apart === 0 ? [] : set(some, i32x4.splat(moved(i32.const(apart)))),
      set(last, least(get(end), i32.const(whole))),
      // From here on the keys that are all visible.
      set(from, i32.and(i32.add(get(from), i32.const(7)), i32.const(-8))),
      set(from, most(get(first), least(get(from), get(last)))),
      set(to, i32.and(get(to), i32.const(-8))),
      set(to, most(get(from), least(get(to), get(last)))),
    ],
    parts: [
      { from: get(first), to: get(from), hides: true },
      { from: get(from), to: get(to), hides: false },
      { from: get(to), to: get(last), hides: true },
    ],
    whole: last,
    visible: (key, place) => {
      const at = i32x4.splat(place === 0 ? key : i32.add(key, i32.const(place)))
      const inRange = i32x4.ltU(i32x4.add(at, get(base)), get(span))
      return apart === 0 ? inRange : v128.or(inRange, i32x4.ltS(i32x4.add(at, lanes), get(some)))
    },
  }
}
