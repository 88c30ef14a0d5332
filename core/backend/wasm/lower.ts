/**
 * Lowers a program to a plan: offsets of temporaries, one module with all code, barriers between threads.
 * @module
 */
import type { Encoding } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import {
  call as callFunction,
  type Code,
  get,
  globalSet,
  ModuleBuilder,
  type Target,
} from "../../../kernels/wasm/assembler.ts"
import { emit } from "../../../kernels/wasm/emitters.ts"
import { placedIn } from "../../../kernels/wasm/placed.ts"
import type { Program } from "../../graph/program.ts"
import { widen } from "../../graph/rewrite/widen.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { type PlannedRegion, ProgramMemory } from "./program_memory.ts"
import { type EmittedCall, type StageOrder, stageOrder } from "./stages.ts"

/** Barriers and stages per function: optimizing a long function takes much memory. */
const PART = 128
/** Maximum number of 64 KiB pages of a memory. */
export const MAXIMUM_PAGES = 65536

/**
 * A program lowered to WebAssembly: plain data. The module imports `env.memory`, and `env.memory1`, `env.memory2`, ... as
 * far as its slots lie there, and exports `run(thread, threads, arena, constants)`, all i32, the last two byte addresses
 * in the first memory; all threads call it together.
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

/** Where a slot lies. */
export interface SlotPlace {
  /** Number of the memory; 0 is the first, which holds all that programs write. */
  readonly memory: number
  /** First byte. */
  readonly address: number
}

/** Facts about the machine. */
export interface LowerOptions {
  readonly target: Target
  /** Maximum number of threads that run the plan. */
  readonly threads: number
  /** Whether the memory is shared; if not, the plan has no barriers and runs on one thread. */
  readonly shared: boolean
  /** Where a slot lies. */
  readonly slotPlace: (slot: number) => SlotPlace
  /** Whether each call is a separate function, so that the clock can be read in between. Default: no. */
  readonly trace?: boolean
}

/** Lowers a program. */
export const lower = (
  given: Program,
  { target, threads, shared, slotPlace, trace = false }: LowerOptions,
): WasmPlan => {
  const module = new ModuleBuilder()
  const { program, encodingOfBuffer } = importMemories(given, module, shared, slotPlace)
  const { buffers, calls, kernels } = program
  const [thread, threadCount, arena, constants] = Array.from({ length: 4 }, () => module.global())
  const memory = new ProgramMemory(program, { thread, arena, constants }, (slot) => slotPlace(slot).address)
  const emitted = calls.map((call, number): EmittedCall => {
    const scratch = memory.scratch(number)
    const stages = emit(call, kernels, {
      module,
      target,
      address: (buffer) => memory.addresses[buffer],
      encoding: encodingOfBuffer,
      sharedScratch: scratch.shared,
      threadScratch: scratch.thread,
    })
    return { call, stages, scratch: scratch.blocks }
  })
  const plannedBytes = memory.settle()
  const order = stageOrder(module, memory, shared, { thread, threadCount })
  const parts = trace ? [] : inParts(module, order.inOrder(emitted))
  const run = module.func("run", ["i32", "i32", "i32", "i32"], [], (_scope, ...parameters) => [
    ...[thread, threadCount, arena, constants].map((global, i) => globalSet(global, get(parameters[i]))),
    order.wait(),
    ...parts.map((part) => callFunction(part)),
    trace ? [] : order.wait(),
  ])
  module.export("run", run)
  if (trace) exportCalls(module, emitted, order)

  const temporaryBytes = plannedBytes + threads * memory.threadBytes
  const readings = trace ? 2 * calls.length * threads : 0
  const times = { base: "arena", offset: temporaryBytes, length: readings, dtype: "f32" } as const
  return {
    name: program.name,
    code: module.encode(),
    arenaBytes: temporaryBytes + 4 * readings,
    inputs: buffers.flatMap(({ size, source }, number) =>
      source.kind === "input" ? [{ name: source.name, ...memory.region(number, 0, size) }] : []
    ),
    outputs: program.outputs.map(({ name, view }) => ({
      name,
      ...memory.region(view.buffer, view.offset, sizeOf(view.shape)),
    })),
    constantBytes: memory.constantBytes,
    constants: buffers.flatMap(({ size, source }, number) =>
      source.kind === "constant" && size > 0
        ? [{ offset: memory.region(number, 0, size).offset, data: source.data }]
        : []
    ),
    barriers: order.barriers(),
    ...(trace ? { times } : {}),
  }
}

/** Imports the memories of a program's slots; the program, with copies of what kernels do not read in further ones. */
const importMemories = (
  given: Program,
  module: ModuleBuilder,
  shared: boolean,
  slotPlace: LowerOptions["slotPlace"],
) => {
  const memories = given.buffers.map(({ source }) => source.kind === "slot" ? slotPlace(source.slot).memory : 0)
  const numbers = new Map([...new Set([0, ...memories])].map((memory) => [
    memory,
    module.importMemory({
      name: memory === 0 ? "memory" : `memory${memory}`,
      initial: 1,
      maximum: MAXIMUM_PAGES,
      shared,
    }),
  ]))
  const program = numbers.size === 1 ? given : widen(given, (buffer) => memories[buffer] > 0)
  const { buffers, encodings } = program
  return {
    program,
    /** What a buffer of the program is kept in, with the memory's number in the module. */
    encodingOfBuffer: (buffer: number): Encoding =>
      placedIn(numbers.get(memories[buffer] ?? 0)!, encodingOf(buffers[buffer]?.storage, encodings)),
  }
}

/** Adds functions of {@link PART} pieces each. */
const inParts = (module: ModuleBuilder, code: ReadonlyArray<Code>): ReadonlyArray<number> => {
  const parts: Array<number> = []
  for (let at = 0; at < code.length; at += PART) {
    parts.push(module.func(`part${parts.length}`, [], [], () => code.slice(at, at + PART)))
  }
  return parts
}

/** Exports each call, and the barrier between them, as functions of their own. */
const exportCalls = (module: ModuleBuilder, emitted: ReadonlyArray<EmittedCall>, order: StageOrder): void => {
  emitted.forEach((call, number) =>
    module.export(`call${number}`, module.func(`call${number}`, [], [], () => order.inOrder([call])))
  )
  module.export("wait", module.func("wait", [], [], () => [order.wait()]))
}
