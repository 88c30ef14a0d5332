/**
 * Whether this runtime joins vectors: see kernels/wasm/wide.ts. No runtime tells, so it is found by the clock. Node can be
 * told to while it runs.
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
const trial = (name: string): (turns: number, loop: Loop) => void => {
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
  module.export(name, func)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()))
  const run = exports[name] as (turns: number, loop: number) => void
  return (turns, loop) => run(turns, LOOPS.indexOf(loop))
}

const find = (name: string): boolean => {
  const run = trial(name)
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

/** What is used of the globals of Node. */
interface Host {
  readonly Deno?: unknown
  readonly process?: {
    readonly versions?: { readonly node?: string; readonly bun?: string }
    readonly getBuiltinModule?: (name: string) => { readonly setFlagsFromString?: (flags: string) => void } | undefined
  }
}

/** The first Node that joins vectors when it is told so at run time: 22 takes the flag, and never does. */
const FIRST_NODE = 24

/**
 * Tells Node's V8 to join vectors, if this is a Node that does; gives whether it was told. It holds for the whole process,
 * its workers too, and for code that is optimized from now on. Deno 2.9 would take it and stay as it is.
 */
export const tellNode = ({ Deno, process }: Host): boolean => {
  const { node, bun } = process?.versions ?? {}
  if (Deno !== undefined || bun !== undefined || !(parseInt(node ?? "") >= FIRST_NODE)) return false
  try {
    const { setFlagsFromString } = process?.getBuiltinModule?.("node:v8") ?? {}
    setFlagsFromString?.("--experimental-wasm-revectorize")
    return setFlagsFromString !== undefined
  } catch {
    return false
  }
}

let told: boolean | undefined
const found = new Map<boolean, boolean>()
/**
 * Whether the engine joins vectors; with `setFlags`, after Node was told to. Takes some milliseconds the first time,
 * {@link PATIENCE} where it does not optimize.
 */
export const findWideVectors = (setFlags: boolean): { readonly wide: boolean; readonly told: boolean } => {
  if (setFlags) told ??= tellNode(globalThis)
  const now = told === true
  let wide = found.get(now)
  // A name of its own: code that was optimized before stays as it was, in a new module of the same bytes too.
  if (wide === undefined) found.set(now, wide = find(now ? "told" : "untold"))
  return { wide, told: now }
}
