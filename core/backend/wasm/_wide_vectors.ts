/**
 * Whether this runtime joins vectors: see kernels/wasm/wide.ts. No runtime tells, so it is found by the clock.
 * @module
 */
import {
  brIf,
  choose,
  type Code,
  f32,
  f32x4,
  get,
  i32,
  increase,
  loop,
  madd,
  ModuleBuilder,
  set,
  tee,
  v128,
} from "../../../kernels/wasm/assembler.ts"
import { joined } from "../../../kernels/wasm/wide.ts"

/** Turns of a loop in a trial, some 50 microseconds: a page's clock may tick every 5. Products that a turn adds to a sum. */
const TURNS = 4000, PRODUCTS = 4
/** Optimized trials before vectors are taken for joined, and for not joined. Their best times count: in others something
 * else had the processor. */
const FEWEST = 6, MOST = 40
/** Longest wait for the runtime to optimize the trial, in milliseconds: it takes about two. */
const PATIENCE = 100
/** How much faster joined sums are at least; 1.75 is measured, and 1.0 where they are not joined. */
const JOINED = 1.35
/** No processor does the steps of a trial one after the other in so few milliseconds; as one step they take a tenth. */
const OPTIMIZED = 0.02

const repeated = (times: number, wrap: (code: Code) => Code, code: Code): Code =>
  times === 0 ? code : repeated(times - 1, wrap, wrap(code))

type Loop = "sums" | "joined sums" | "steps"
const LOOPS: readonly Loop[] = ["sums", "joined sums", "steps"]

/**
 * A function of three loops; it is optimized as a whole. One loop has sums of products, one the same that are to be joined,
 * one small steps that an optimizer makes one of.
 */
const trial = (): (turns: number, loop: Loop) => void => {
  const module = new ModuleBuilder()
  const func = module.func("trial", ["i32", "i32"], ["i32"], (f, turns, chosen) => {
    const again = brIf(0, tee(turns, i32.sub(get(turns), i32.const(1))))
    const factor = f.local("v128")
    /** As many sums as registers hold when two share one: no waiting for products. */
    const sums = (pair: (low: number, high: number) => Code): Code => {
      const sums = Array.from({ length: 24 }, () => f.local("v128"))
      const product = (value: Code): Code => madd({ relaxed: true }, value, get(factor), get(factor))
      const add = (sum: number): Code => set(sum, repeated(PRODUCTS, product, get(sum)))
      return [
        // A number that the compiler does not know: constants would be made anew at each use.
        set(factor, f32x4.splat(f32.convert(get(turns)))),
        sums.map((sum, i) => set(sum, f32x4.const(i))),
        loop(sums.map(add), again),
        sums.map((sum, i) => i % 2 === 0 ? pair(sum, sums[i + 1]) : []),
        v128.anyTrue(sums.reduce((all: Code, sum) => v128.or(all, get(sum)), f32x4.const(0))),
      ]
    }
    const count = f.local("i32")
    const steps: Code = [loop(Array.from({ length: 100 }, () => increase(count, 1)), again), get(count)]
    const is = (loop: Loop) => i32.eq(get(chosen), i32.const(LOOPS.indexOf(loop)))
    return choose("i32", is("steps"), steps, choose("i32", is("joined sums"), sums(joined), sums(() => [])))
  })
  module.export("trial", func)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()))
  const run = exports.trial as (turns: number, loop: number) => void
  return (turns, loop) => run(turns, LOOPS.indexOf(loop))
}

const find = (): boolean => {
  const run = trial()
  const began = performance.now()
  const trials: Record<Loop, number>[] = []
  const once = (loop: Loop): number => {
    const start = performance.now()
    run(TURNS, loop)
    return performance.now() - start
  }
  while (performance.now() - began < PATIENCE) {
    const times = { sums: once("sums"), "joined sums": once("joined sums"), steps: once("steps") }
    // The optimized function takes over between two trials.
    if (times.steps < OPTIMIZED) trials.push(times)
    const best = (loop: Loop) => Math.min(...trials.map((times) => times[loop]))
    if (trials.length >= FEWEST && best("sums") > JOINED * best("joined sums")) return true
    if (trials.length === MOST) return false
  }
  return false
}

let found: boolean | undefined
/** Whether the engine joins vectors. Takes some milliseconds the first time, {@link PATIENCE} where it does not optimize. */
export const hasWideVectors = (): boolean => found ??= find()
