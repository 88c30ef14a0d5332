/**
 * Detects whether this runtime joins vectors (see kernels/wasm/wide.ts). No runtime reports it, so it is timed. Node
 * can be told to at run time.
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
/** Optimized trials before vectors count as joined, and as not joined. The best times count, since other work may disturb
 * a trial. */
const FEWEST = 6, MOST = 40
/** Longest wait for the runtime to optimize the trial, in milliseconds; it takes about two. */
const PATIENCE = 100
/** Least speed-up of joined sums. Measured: 1.75 if joined, 1.0 if not. */
const JOINED = 1.35
/**
 * Milliseconds in which no processor can do a trial's steps one after the other; merged into one step they take a
 * tenth.
 */
const OPTIMIZED = 0.02

const repeated = (times: number, wrap: (code: Code) => Code, code: Code): Code =>
  times === 0 ? code : repeated(times - 1, wrap, wrap(code))

type Loop = "sums" | "joined sums" | "steps"
const LOOPS: readonly Loop[] = ["sums", "joined sums", "steps"]

/**
 * A function of three loops, optimized as a whole: sums of products, the same sums in a form that can be joined, and
 * small steps that an optimizer merges into one.
 */
const trial = (name: string): (turns: number, loop: Loop) => void => {
  const module = new ModuleBuilder()
  const func = module.func("trial", ["i32", "i32"], ["i32"], (f, turns, chosen) => {
    const again = brIf(0, tee(turns, i32.sub(get(turns), i32.const(1))))
    const factor = f.local("v128")
    /** As many sums as registers hold when two share one, so that products do not wait. */
    const sums = (pair: (low: number, high: number) => Code): Code => {
      const sums = Array.from({ length: 24 }, () => f.local("v128"))
      const product = (value: Code): Code => madd({ relaxed: true }, value, get(factor), get(factor))
      const add = (sum: number): Code => set(sum, repeated(PRODUCTS, product, get(sum)))
      return [
        // Unknown to the compiler: constants would be rebuilt at each use.
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
    // The optimized function replaces the first one between two trials.
    if (times.steps < OPTIMIZED) trials.push(times)
    const best = (loop: Loop) => Math.min(...trials.map((times) => times[loop]))
    if (trials.length >= FEWEST && best("sums") > JOINED * best("joined sums")) return true
    if (trials.length === MOST) return false
  }
  return false
}

/** The part of Node's globals that is used. */
interface Host {
  readonly Deno?: unknown
  readonly process?: {
    readonly versions?: { readonly node?: string; readonly bun?: string }
    readonly getBuiltinModule?: (name: string) => { readonly setFlagsFromString?: (flags: string) => void } | undefined
  }
}

/** The first Node that joins vectors when the flag is set at run time; 22 accepts the flag without effect. */
const FIRST_NODE = 24

/**
 * Sets V8's flag if this is a Node that obeys it, and gives whether it was set. It holds for the whole process with its
 * workers, for code that is optimized afterwards. Deno 2.9 accepts the flag without effect.
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
 * Whether the engine joins vectors; with `setFlags`, after setting the flag in Node. Takes some milliseconds the first
 * time, {@link PATIENCE} if the trial is not optimized.
 */
export const findWideVectors = (setFlags: boolean): { readonly wide: boolean; readonly told: boolean } => {
  if (setFlags) told ??= tellNode(globalThis)
  const now = told === true
  let wide = found.get(now)
  // A unique name: V8 reuses code optimized earlier for a module of the same bytes.
  if (wide === undefined) found.set(now, wide = find(now ? "told" : "untold"))
  return { wide, told: now }
}
