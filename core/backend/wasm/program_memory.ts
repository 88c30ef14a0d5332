import type { DType } from "../../../kernels/contract.ts"
import type { Program } from "../../graph/program.ts"
import { accessesOf } from "../../graph/fuse/accesses.ts"
import { type Code, flatten, globalGet, i32 } from "../../../kernels/wasm/assembler.ts"
import { Arena, type MemoryPlan } from "../memory_plan.ts"

/** Alignment of everything in the memory, in bytes: a cache line. */
export const ALIGNMENT = 64

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

/** Bytes in the arena or among the constants (`base`), or anywhere (`memory`). */
export interface PlannedRegion {
  readonly base: "arena" | "constants" | "memory"
  /** Bytes from the base. */
  readonly offset: number
  /** Number of elements. */
  readonly length: number
  readonly dtype: DType
}

/** Bytes that a stage touches: a range of the arena, or a whole slot. */
export interface Touch {
  readonly memory: number | "arena"
  readonly start: number
  readonly end: number
  readonly writes: boolean
}

/** Whether two stages must not run at the same time. */
export const collides = (a: Touch, b: Touch): boolean =>
  (a.writes || b.writes) && a.memory === b.memory && a.start < b.end && b.start < a.end

/** Globals of a thread: its number, and the first bytes of arena and constants. */
export interface BaseGlobals {
  readonly thread: number
  readonly arena: number
  readonly constants: number
}

/** Workspace of one call. */
export interface CallScratch {
  readonly shared: (bytes: number) => Code
  readonly thread: (bytes: number) => Code
  /** Blocks of the arena that were asked for. */
  readonly blocks: ReadonlyArray<number>
}

/**
 * Memory of a program's buffers and of its kernels' workspace. Emitters ask for scratch before the arena is planned, so
 * the code of an address is filled in by {@link settle}.
 */
export class ProgramMemory {
  constantBytes = 0
  /** Bytes of each thread's own workspace. */
  threadBytes = 0
  /** Address of each buffer. */
  readonly addresses: ReadonlyArray<Code>
  readonly #arena = new Arena()
  readonly #pending: Array<{ readonly code: Array<number | Code>; readonly block: number }> = []
  readonly #constants = new Map<number, number>()
  readonly #blocks = new Map<number, number>()
  readonly #threadScratch: Array<number | Code> = []
  #plan: MemoryPlan = { offsets: [], bytes: 0 }

  constructor(
    readonly program: Program,
    readonly globals: BaseGlobals,
    readonly slotAddress: (slot: number) => number,
  ) {
    const { buffers, calls, outputs, kernels } = program
    this.addresses = buffers.map(({ size, source }, number): Code => {
      if (source.kind === "slot") return i32.const(slotAddress(source.slot))
      if (source.kind === "constant") {
        const offset = this.constantBytes
        this.#constants.set(number, offset)
        this.constantBytes += aligned(4 * size)
        return i32.add(globalGet(globals.constants), i32.const(offset))
      }
      const block = this.#arena.add(4 * size)
      this.#blocks.set(number, block)
      return this.#later(block)
    })
    const use = (buffer: number, call: number) => {
      const block = this.#blocks.get(buffer)
      if (block !== undefined) this.#arena.use(block, call)
    }
    buffers.forEach(({ source }, number) => source.kind === "input" && use(number, -1))
    calls.forEach((call, number) => {
      const { reads, writes } = accessesOf(call, kernels)
      for (const buffer of [...reads, ...writes]) use(buffer, number)
    })
    for (const { view } of outputs) use(view.buffer, calls.length)
  }

  /** Address of a block, filled in later. */
  #later(block: number): Code {
    const code: Array<number | Code> = []
    this.#pending.push({ code, block })
    return code
  }

  /** Workspace of a call. */
  scratch(call: number): CallScratch {
    const blocks: Array<number> = []
    let used = 0
    return {
      blocks,
      shared: (bytes) => {
        const block = this.#arena.add(bytes)
        this.#arena.use(block, call)
        blocks.push(block)
        return this.#later(block)
      },
      thread: (bytes) => {
        const offset = used
        used += aligned(bytes)
        this.threadBytes = Math.max(this.threadBytes, used)
        return i32.add(this.#threadScratch, i32.const(offset))
      },
    }
  }

  /** Plans the arena and fills in the addresses. The threads' workspaces follow the planned bytes, whose number it gives. */
  settle(): number {
    const { arena, thread } = this.globals
    this.#plan = this.#arena.plan(ALIGNMENT)
    const { offsets, bytes } = this.#plan
    for (const { code, block } of this.#pending) {
      code.push(flatten(i32.add(globalGet(arena), i32.const(offsets[block]))))
    }
    this.#threadScratch.push(flatten(
      i32.add(i32.add(globalGet(arena), i32.const(bytes)), i32.mul(globalGet(thread), i32.const(this.threadBytes))),
    ))
    return bytes
  }

  /** What an access to a buffer touches; nothing for constants. */
  touch(buffer: number, writes: boolean): ReadonlyArray<Touch> {
    const { source } = this.program.buffers[buffer]
    if (source.kind === "slot") return [{ memory: source.slot, start: 0, end: 1, writes }]
    const block = this.#blocks.get(buffer)
    return block === undefined ? [] : [this.touchBlock(block, writes)]
  }

  /** What an access to a block of the arena touches. */
  touchBlock(block: number, writes: boolean): Touch {
    const start = this.#plan.offsets[block]
    return { memory: "arena", start, end: start + this.#arena.bytesOf(block), writes }
  }

  /** Elements of a buffer. */
  region(buffer: number, first: number, length: number): PlannedRegion {
    const { source, dtype } = this.program.buffers[buffer]
    const region = (base: PlannedRegion["base"], start: number) => ({ base, offset: start + 4 * first, length, dtype })
    if (source.kind === "slot") return region("memory", this.slotAddress(source.slot))
    if (source.kind === "constant") return region("constants", this.#constants.get(buffer)!)
    return region("arena", this.#plan.offsets[this.#blocks.get(buffer)!])
  }
}
