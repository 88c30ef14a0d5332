/**
 * How a kernel writes WebAssembly for a backend: it adds functions to the module and gives stages that call them.
 *
 * A kernel's bodies are functions that take addresses, sizes and strides as i32 parameters and are shared through
 * `module.once(key, ...)`: a hundred products use one body, which the engine then optimizes once. A stage runs them.
 * @module
 */
import type { Call } from "../contract.ts"
import type { Encoding } from "../encoding.ts"
import { type Code, i32, minU32, type ModuleBuilder, type Target } from "./assembler.ts"

/** Functions of the backend for an emitter. */
export interface KernelContext {
  /** The module that functions are added to. */
  readonly module: ModuleBuilder
  /** Features of the machine. */
  readonly target: Target
  /** Byte address (i32, a multiple of 16) of the first element of a program's buffer; without side effects. */
  readonly address: (buffer: number) => Code
  /**
   * How the memory of a buffer that is read holds its elements, as far as the use of its view allows. Read them with
   * `loadStored`: the operand of a view with the use `"read blocks"` may lie in a further memory of the module.
   */
  readonly encoding: (buffer: number) => Encoding
  /**
   * Workspace that all threads see, for this call alone: what earlier stages of the call wrote, later ones read.
   * Gives its byte address (a multiple of 64). Its first content is arbitrary.
   */
  readonly sharedScratch: (bytes: number) => Code
  /** Workspace of the running thread alone, for one run of a stage. Same rules. */
  readonly threadScratch: (bytes: number) => Code
}

/**
 * Work that may be divided: units 0 .. `units` - 1 are independent of each other, and a result does not depend on how
 * they are split. All units of a stage are done (a barrier) before the next stage begins.
 */
export interface Stage {
  /** Number of independent units, fixed; 0 means that there is nothing to do. */
  readonly units: number
  /**
   * Code that runs the units begin <= u < end. Both are i32 code without side effects (a global or a constant) and may
   * be evaluated several times. It leaves nothing on the stack and declares no locals: mostly it is a call. A thread runs
   * it several times.
   */
  readonly run: (begin: Code, end: Code) => Code
  /** What each thread does before its first units. */
  readonly prepare?: Code
  /** Fewest units that are worth a run of their own. Default 1. */
  readonly grain?: number
}

/** Least work (simple steps on one element) that is divided between threads: a barrier costs a microsecond. */
const WORTH_DIVIDING = 32768
/** Work of one unit: small, so that the threads' shares are even. */
const UNIT_WORK = 4096

/**
 * Number of neighbouring items in a unit: all of them if they are little work.
 *
 * @param work Of one item, in simple steps on one element.
 */
export const itemsPerUnit = (items: number, work: number): number =>
  items * work < WORTH_DIVIDING ? Math.max(1, items) : Math.max(1, Math.ceil(UNIT_WORK / work))

/**
 * A stage whose units are groups of `size` neighbouring items, so that a unit is worth a thread's attention.
 *
 * @param run Code that does the items begin <= i < end.
 */
export const groupedStage = (items: number, size: number, run: Stage["run"]): Stage => {
  if (size === 1) return { units: items, run }
  const item = (unit: Code): Code => minU32(i32.mul(unit, i32.const(size)), i32.const(items))
  return { units: Math.ceil(items / size), run: (begin, end) => run(item(begin), item(end)) }
}

/** Emits one kind of call. The result depends on the call alone, never on the number of threads. */
export type KernelEmitter<C extends Call> = (call: C, context: KernelContext) => readonly Stage[]
