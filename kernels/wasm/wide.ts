/**
 * Vectors of 256 bits out of WebAssembly's 128: V8 joins pairs, behind `--experimental-wasm-revectorize` and on a
 * processor with AVX2, and computes both halves at once. The results have the same bits.
 *
 * It begins where it finds two values used together, and goes back through what they were computed from, in the same way
 * with the same operations (locals of a loop too). It ends at constants, at the same number in all lanes, at
 * {@link joinable} values; a pair of loads stops it, because the second one's bounds check comes between them.
 * @module
 */
import {
  type Code,
  drop,
  f32,
  f32x4,
  f64x2,
  flatten,
  type FunctionScope,
  get,
  i32,
  i32x4,
  set,
  v128,
} from "./assembler.ts"
import type { Numbers } from "./vector_math.ts"

/** Has the engine join two locals: it sees a use of both, which it drops later. */
export const joined = (low: number, high: number): Code => drop(i32x4.add(get(low), get(high)))

/**
 * Makes a local's value one that can be joined, whatever it comes from: puts one of its lanes where it is. Both of a pair must
 * be made so one after the other, when both were loaded.
 */
export const joinable = (local: number): Code => [get(local), get(local), PUT_BACK, set(local, [])]
const PUT_BACK = flatten(f64x2.replaceLane([], 0, f64x2.extractLane([], 0)))

/** One of the four numbers of a local in all lanes. Joined, it is read again from where the local was loaded. */
export const spread = (local: number, lane: number): Code =>
  v128.shuffle32(get(local), get(local), [lane, lane, lane, lane])

/**
 * Numbers in lanes, each made once at the function's start: there they can be joined too, and later come from the stack.
 * `set` is the code for that start.
 */
export const hoistedNumbers = (f: FunctionScope): Numbers & { readonly set: () => Code } => {
  const made = new Map<string, { readonly local: number; readonly code: Code }>()
  const hoisted = (key: string, code: Code): Code => {
    if (!made.has(key)) made.set(key, { local: f.local("v128"), code })
    return get(made.get(key)!.local)
  }
  return {
    number: (value) => hoisted(`f32 ${Object.is(value, -0) ? "-0" : value}`, f32x4.splat(f32.const(value))),
    whole: (value) => hoisted(`i32 ${value}`, i32x4.splat(i32.const(value))),
    lanes: (...four) => hoisted(`lanes ${four}`, v128.const(...four)),
    set: () => [...made.values()].map(({ local, code }) => set(local, code)),
  }
}
