/**
 * Lowers a program to a plan: offsets of temporaries, one module with all code, barriers between threads.
 * @module
 */
import { emit } from "../../../kernels/wasm/emitters.ts"
import type { DType } from "../../../kernels/contract.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import {
  call as callFunction,
  type Code,
  flatten,
  get,
  globalGet,
  globalSet,
  i32,
  ModuleBuilder,
  type Target,
  when,
  whileTrue,
} from "../../../kernels/wasm/assembler.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { accessesOf } from "../../graph/fuse/accesses.ts"
import type { Program } from "../../graph/program.ts"
import { type Lifetime, planMemory } from "../memory_plan.ts"
import { barrierFunction } from "./threads/barrier.ts"
import { COUNTERS, sharesOf } from "./threads/shares.ts"

/** Alignment of everything in the memory, in bytes: a cache line. */
export const ALIGNMENT = 64
/** Barriers and stages per function: optimizing a long function takes much memory. */
const PART = 128
/** Maximum number of 64 KiB pages of a memory. */
export const MAXIMUM_PAGES = 65536

/** Bytes in the arena or among the constants (`base`), or anywhere (`memory`). */
export interface PlannedRegion {
  readonly base: "arena" | "constants" | "memory"
  /** Bytes from the base. */
  readonly offset: number
  /** Number of elements. */
  readonly length: number
  readonly dtype: DType
}

/**
 * A program lowered to WebAssembly: plain data. The module imports `env.memory` and exports
 * `run(thread, threads, arena, constants)`, all i32, the last two byte addresses; all threads call it together.
 * With {@link LowerOptions.trace}, `run` only begins; then come `call0()`, `wait()`, `call1()`, ...
 */
export interface WasmPlan {
  readonly name: string
  readonly code: Uint8Array<ArrayBuffer>
  /** Size of the arena of temporaries. */
  readonly arenaBytes: number
  readonly inputs: ReadonlyArray<PlannedRegion & { readonly name: string }>
  readonly outputs: ReadonlyArray<PlannedRegion & { readonly name: string }>
  readonly constantBytes: number
  /** Constants and their byte offsets. */
  readonly constants: ReadonlyArray<{ readonly offset: number; readonly data: Float32Array | Int32Array }>
  /** Number of barriers in a run. */
  readonly barriers: number
  /** With {@link LowerOptions.trace}: the times, f32 [calls, threads, start and end] in milliseconds. */
  readonly times?: PlannedRegion
}

/** Facts about the machine. */
export interface LowerOptions {
  readonly target: Target
  /** Maximum number of threads that run the plan. */
  readonly threads: number
  /** Whether the memory is shared; if not, the plan has no barriers and runs on one thread. */
  readonly shared: boolean
  /** Byte address of a slot. */
  readonly slotAddress: (slot: number) => number
  /** Whether each call is a separate function, so that the clock can be read in between. Default: no. */
  readonly trace?: boolean
}

/** Bytes that a stage touches: a range of the arena, or a whole slot. */
interface Touch {
  readonly place: number | "arena"
  readonly start: number
  readonly end: number
  readonly writes: boolean
}
const collides = (a: Touch, b: Touch) =>
  (a.writes || b.writes) && a.place === b.place && a.start < b.end && b.start < a.end

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

/** Lowers a program. */
export const lower = (
  program: Program,
  { target, threads, shared, slotAddress, trace = false }: LowerOptions,
): WasmPlan => {
  const { buffers, calls, encodings, kernels } = program
  const module = new ModuleBuilder()
  module.importMemory({ initial: 1, maximum: MAXIMUM_PAGES, shared })
  const thread = module.global(), threadCount = module.global(), arena = module.global(), constants = module.global()

  // Emitters come before the plan, as they ask for scratch; the code of an address is filled in when it is known.
  const pending: Array<{ code: Array<number | Code>; block: number }> = []
  const blocks: Array<{ bytes: number; first: number; last: number }> = []
  const later = (block: number): Code => {
    const code: Array<number | Code> = []
    pending.push({ code, block })
    return code
  }

  let constantBytes = 0
  const constantOffsets = new Map<number, number>()
  const blockOf = new Map<number, number>()
  const addresses = buffers.map(({ size, source }, number): Code => {
    if (source.kind === "slot") return i32.const(slotAddress(source.slot))
    if (source.kind === "constant") {
      const offset = constantBytes
      constantOffsets.set(number, offset)
      constantBytes += aligned(4 * size)
      return i32.add(globalGet(constants), i32.const(offset))
    }
    const block = blocks.push({ bytes: 4 * size, first: Infinity, last: -1 }) - 1
    blockOf.set(number, block)
    return later(block)
  })
  const use = (buffer: number, when: number): void => {
    const block = blocks[blockOf.get(buffer) ?? -1]
    if (block === undefined) return
    block.first = Math.min(block.first, when)
    block.last = Math.max(block.last, when)
  }
  buffers.forEach(({ source }, number) => source.kind === "input" && use(number, -1))
  calls.forEach((call, number) => {
    const { reads, writes } = accessesOf(call, kernels)
    for (const buffer of [...reads, ...writes]) use(buffer, number)
  })
  for (const { view } of program.outputs) use(view.buffer, calls.length)

  let threadBytes = 0
  const threadOffset: Array<number | Code> = []
  const emitted = calls.map((call, number) => {
    const scratch: Array<number> = []
    let threadUse = 0
    const stages = emit(call, kernels, {
      module,
      target,
      address: (buffer) => addresses[buffer],
      encoding: (buffer) => encodingOf(buffers[buffer]?.storage, encodings),
      sharedScratch: (bytes) => {
        scratch.push(blocks.push({ bytes, first: number, last: number }) - 1)
        return later(scratch.at(-1)!)
      },
      threadScratch: (bytes) => {
        const offset = threadUse
        threadUse += aligned(bytes)
        threadBytes = Math.max(threadBytes, threadUse)
        return i32.add(threadOffset, i32.const(offset))
      },
    })
    return { call, stages, scratch }
  })

  const lifetimes = blocks.map((block): Lifetime => block.first === Infinity ? { bytes: 0, first: 0, last: 0 } : block)
  const plan = planMemory(lifetimes, ALIGNMENT)
  for (const { code, block } of pending) {
    code.push(flatten(i32.add(globalGet(arena), i32.const(plan.offsets[block]))))
  }
  // A thread's scratch lies after the plan; no other thread touches it.
  threadOffset.push(flatten(
    i32.add(
      i32.add(globalGet(arena), i32.const(plan.bytes)),
      i32.mul(globalGet(thread), i32.const(threadBytes)),
    ),
  ))

  const touch = (buffer: number, writes: boolean): ReadonlyArray<Touch> => {
    const { source } = buffers[buffer]
    if (source.kind === "slot") return [{ place: source.slot, start: 0, end: 1, writes }]
    const block = blockOf.get(buffer)
    return block === undefined ? [] : [touchBlock(block, writes)]
  }
  const touchBlock = (block: number, writes: boolean): Touch => ({
    place: "arena",
    start: plan.offsets[block],
    end: plan.offsets[block] + blocks[block].bytes,
    writes,
  })
  const together = shared
    ? { barrier: barrierFunction(module, threadCount), shares: sharesOf(module, thread, threadCount) }
    : undefined
  let barriers = 0
  const wait = (): Code => {
    if (together === undefined) return []
    barriers++
    return [together.shares.turn, callFunction(together.barrier)]
  }
  /** Code of the calls: one piece per barrier and stage. */
  const inOrder = (part: typeof emitted): Array<Code> => {
    const code: Array<Code> = []
    /** Bytes touched since the last barrier, by thread 0 alone or by all. */
    let open: Array<{ touches: ReadonlyArray<Touch>; alone: boolean }> = []
    const divided = () => open.filter(({ alone }) => !alone).length
    for (const { call, stages, scratch } of part) {
      const { reads, writes } = accessesOf(call, kernels)
      const touches = [
        ...reads.flatMap((buffer) => touch(buffer, false)),
        ...writes.flatMap((buffer) => touch(buffer, true)),
        ...scratch.map((block) => touchBlock(block, true)),
      ]
      for (const { units, run, prepare = [], grain = 1 } of stages) {
        if (units === 0) continue
        const alone = units === 1
        const mustWait = open.some((earlier) =>
          !(alone && earlier.alone) && earlier.touches.some((a) => touches.some((b) => collides(a, b)))
        )
        if (mustWait || divided() === COUNTERS) {
          code.push(wait())
          open = []
        }
        const counter = divided()
        open.push({ touches, alone })
        if (alone) {
          code.push(when(i32.eqz(globalGet(thread)), [prepare, run(i32.const(0), i32.const(1))]))
        } else if (together === undefined) {
          code.push([prepare, run(i32.const(0), i32.const(units))])
        } else {
          const { claim, begin, end } = together.shares
          code.push([prepare, whileTrue(claim(counter, units, grain), run(begin, end))])
        }
      }
    }
    return code
  }
  const parts: Array<number> = []
  if (!trace) {
    const code = inOrder(emitted)
    for (let at = 0; at < code.length; at += PART) {
      parts.push(module.func(`part${parts.length}`, [], [], () => code.slice(at, at + PART)))
    }
  }
  const run = module.func("run", ["i32", "i32", "i32", "i32"], [], (_scope, ...parameters) => [
    ...[thread, threadCount, arena, constants].map((global, i) => globalSet(global, get(parameters[i]))),
    wait(),
    ...parts.map((part) => callFunction(part)),
    trace ? [] : wait(),
  ])
  module.export("run", run)
  if (trace) {
    emitted.forEach((call, number) =>
      module.export(`call${number}`, module.func(`call${number}`, [], [], () => inOrder([call])))
    )
    module.export("wait", module.func("wait", [], [], () => [wait()]))
  }

  const region = (buffer: number, offset: number, length: number): PlannedRegion => {
    const { source, dtype } = buffers[buffer]
    const block = blockOf.get(buffer)
    const base = source.kind === "slot" ? "memory" : block === undefined ? "constants" : "arena"
    const start = source.kind === "slot"
      ? slotAddress(source.slot)
      : block === undefined
      ? constantOffsets.get(buffer)!
      : plan.offsets[block]
    return { base, offset: start + 4 * offset, length, dtype }
  }
  const temporaryBytes = plan.bytes + threads * threadBytes
  const clockReadings = trace ? 2 * calls.length * threads : 0
  return {
    name: program.name,
    code: module.encode(),
    arenaBytes: temporaryBytes + 4 * clockReadings,
    inputs: buffers.flatMap(({ size, source }, number) =>
      source.kind === "input" ? [{ name: source.name, ...region(number, 0, size) }] : []
    ),
    outputs: program.outputs.map(({ name, view }) => ({
      name,
      ...region(view.buffer, view.offset, sizeOf(view.shape)),
    })),
    constantBytes,
    constants: buffers.flatMap(({ size, source }, number) =>
      source.kind === "constant" && size > 0 ? [{ offset: constantOffsets.get(number)!, data: source.data }] : []
    ),
    barriers,
    ...(trace
      ? { times: { base: "arena" as const, offset: temporaryBytes, length: clockReadings, dtype: "f32" as const } }
      : {}),
  }
}
