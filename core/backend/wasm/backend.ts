/**
 * The CPU through WebAssembly: workers over a shared memory run plans together.
 *
 * The calling thread never computes: it lowers programs, posts requests in order and awaits replies.
 * @module
 */
import type * as Layer from "effect/Layer"
import type { Backend } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { makeSlotTable } from "../slots/slot_table.ts"
import { resource, type Started } from "../resource.ts"
import { BARRIER_BYTES } from "./threads/barrier.ts"
import { hasRelaxedSimd, hasSeveralMemories, logicalProcessors, makeSharedMemory } from "./features.ts"
import { COUNTER_BYTES } from "./threads/shares.ts"
import { findWideVectors } from "./wide_vectors.ts"
import { remoteAccess, sharedAccess } from "./access.ts"
import { makeCompile } from "./executable.ts"
import { lower, MAXIMUM_PAGES, type SlotPlace } from "./lower.ts"
import { makeMemories } from "./memories.ts"
import { makeQueue } from "./threads/queue.ts"
import { slotMemory } from "./slot_memory.ts"
import { roomCheck } from "../slots/slots.ts"
import { startWorkers } from "./threads/workers.ts"

/** Options of the engine; defaults are detected. */
export interface WasmOptions {
  /** Number of workers. Default: the machine's logical processors, at most 16; 1 without shared memory. */
  readonly threads?: number
  /** Whether to use relaxed SIMD (fused multiply-add). Default: if the runtime supports it. */
  readonly relaxedSimd?: boolean
  /**
   * Whether the runtime joins pairs of vectors into 256-bit vectors (V8 with `--experimental-wasm-revectorize`).
   * Changes the speed, but no bit of any result of finite numbers. Default: detected, which takes some milliseconds;
   * false without relaxed SIMD.
   */
  readonly wideVectors?: boolean
  /**
   * Whether to set V8's flag at run time where that has an effect: in Node from 24 on,
   * `v8.setFlagsFromString("--experimental-wasm-revectorize")`, which holds for all WebAssembly of the process that is
   * optimized afterwards. Default: true, unless `wideVectors` is given.
   */
  readonly setFlags?: boolean
  /** Whether to use shared memory. Default: if the runtime supports it (a page needs COOP and COEP headers). */
  readonly sharedMemory?: boolean
  /**
   * Whether frozen weights may lie in further memories, so that models have more than 4 GiB. Default: if the runtime
   * supports it (Deno, Chromium, Node from 22 on).
   */
  readonly severalMemories?: boolean
  /**
   * Most bytes of frozen weights in the first memory, and in each further one. Small numbers are for tests. Default: half
   * of 4 GiB, and 4 GiB.
   */
  readonly frozenBytes?: readonly [first: number, further: number]
}

/** Number of workers and their memory. Throws if the runtime lacks what the options require. */
const resources = async (
  options: WasmOptions,
): Promise<{ readonly threads: number; readonly memory: WebAssembly.Memory | undefined }> => {
  const memory = options.sharedMemory === false ? undefined : makeSharedMemory(MAXIMUM_PAGES)
  if (memory === undefined && options.sharedMemory === true) {
    throw new BackendError({
      reason: "Unsupported",
      message: "Shared memory was asked for, but this runtime has none. A page needs the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.",
    })
  }
  const threads = memory === undefined ? 1 : options.threads ?? Math.min(16, await logicalProcessors())
  if (Number.isInteger(threads) && threads >= 1) return { threads, memory }
  throw new BackendError({ reason: "BadInput", message: `threads must be a whole number from 1 on, not ${threads}` })
}

/** Where the slots of a program lie that only says what it needs. */
const ANYWHERE: SlotPlace = { memory: 0, address: 0 }

const start = async (options: WasmOptions): Promise<Started> => {
  const relaxed = options.relaxedSimd ?? hasRelaxedSimd()
  const { wide, told } = options.wideVectors !== undefined || !relaxed
    ? { wide: options.wideVectors ?? false, told: false }
    : findWideVectors(options.setFlags ?? true)
  const { threads, memory: shared } = await resources(options)
  const workers = await startWorkers(threads, shared)
  const enqueue = makeQueue(workers.lost)
  const accessTo = (number: number, memory: WebAssembly.Memory | undefined) =>
    memory === undefined ? remoteAccess(workers, enqueue, number) : sharedAccess(memory, enqueue)
  const more = (number: number) => {
    const memory = shared && new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES, shared: true })
    workers.giveMemory(number, memory)
    return accessTo(number, memory)
  }
  const memory = makeMemories({
    first: BARRIER_BYTES + threads * COUNTER_BYTES,
    access: accessTo(0, shared),
    more: options.severalMemories ?? hasSeveralMemories() ? more : undefined,
    ...(options.frozenBytes === undefined ? {} : { share: options.frozenBytes }),
  })
  const slots = makeSlotTable(slotMemory(memory))
  const target = { relaxed, wide }
  const description = `CPU by WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}, ` +
    `${relaxed ? "relaxed" : "plain"} SIMD${wide ? " in wide vectors" : ""}${
      wide && told ? " (V8's flag set here)" : ""
    }, ${shared === undefined ? "memory of one thread" : "shared memory"}`
  return {
    service: {
      info: { name: "wasm", description, threads },
      allocate: (...slot) => {
        const lost = workers.lost()
        if (lost !== undefined) throw lost
        return slots.allocate(...slot)
      },
      free: slots.free,
      write: slots.write,
      read: slots.read,
      checkRoom: roomCheck(memory.room),
      temporaryBytes: (program) =>
        lower(program, { target, threads, shared: shared !== undefined, slotPlace: () => ANYWHERE }).arenaBytes,
      compile: makeCompile({ threads, shared: shared !== undefined, target, workers, enqueue, memory, slots }),
      readEncoded: slots.readEncoded,
      memory: memory.usage,
    },
    close: () => workers.close(new BackendError({ reason: "Lost", message: "The wasm backend was closed" })),
  }
}

/** The backend as a resource; its workers end with the scope. Fails with `Unsupported` if it cannot run. */
export const layer = (options: WasmOptions = {}): Layer.Layer<Backend, BackendError> =>
  resource("wasm", () => start(options))
