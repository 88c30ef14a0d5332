/**
 * The CPU through WebAssembly: a memory, workers that share it, and plans that they run together.
 *
 * The calling thread never computes: it lowers programs, posts requests in order and awaits replies.
 * @module
 */
import type * as Layer from "effect/Layer"
import { bytesFor } from "../../../kernels/encoding.ts"
import { encodingOf, F32 } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type {
  Backend,
  BackendMemory,
  BackendService,
  CallTime,
  Executable,
  RunData,
  Slot,
  SlotData,
} from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { resource, type Started } from "../_resource.ts"
import { type Block, makeAllocator } from "./_allocator.ts"
import { BARRIER_BYTES } from "./_barrier.ts"
import { COUNTER_BYTES } from "./_shares.ts"
import { hasRelaxedSimd, logicalProcessors, makeSharedMemory } from "./_features.ts"
import { findWideVectors } from "./_wide_vectors.ts"
import { checkWrite, decoded, encoded, makeSlot, slotsOf } from "../_slots.ts"
import { startThread, type Thread } from "../_thread.ts"
import { engine, type Region, type Reply, type Request } from "./_worker.ts"
import { ALIGNMENT, lower, MAXIMUM_PAGES, type PlannedRegion } from "./lower.ts"

/** How the engine is set up; what is left out is found out. */
export interface WasmOptions {
  /** Number of workers. Default: the machine's logical processors, at most 16; 1 without shared memory. */
  readonly threads?: number
  /** Whether to use relaxed SIMD (fused multiply-add). Default: where the runtime has it. */
  readonly relaxedSimd?: boolean
  /**
   * Whether the runtime joins pairs of vectors into such of 256 bits (V8 with `--experimental-wasm-revectorize`).
   * Changes the speed, not a bit of any result of finite numbers. Default: found out by trying, which takes some
   * milliseconds; without relaxed SIMD, no.
   */
  readonly wideVectors?: boolean
  /**
   * Whether a V8 that can be told to join vectors while it runs is told so: in Node from 24 on,
   * `v8.setFlagsFromString("--experimental-wasm-revectorize")`, which holds for all WebAssembly of the process that is
   * optimized afterwards. False leaves the process alone. Default: true, unless `wideVectors` says what there is.
   */
  readonly setFlags?: boolean
  /** Whether to use shared memory. Default: where the runtime has it (a page needs COOP and COEP headers). */
  readonly sharedMemory?: boolean
}

const PAGE = 65536
const MEBIBYTE = 1 << 20
const mebibytes = (bytes: number) => `${(bytes / MEBIBYTE).toFixed(1)} MiB`

/** The clock readings [calls, threads, start and end] of a run as times of its calls. */
const callTimes = (readings: ArrayLike<number>, threads: number): ReadonlyArray<CallTime> =>
  Array.from({ length: readings.length / 2 }, (_, i) => ({
    call: Math.floor(i / threads),
    thread: i % threads,
    start: readings[2 * i],
    end: readings[2 * i + 1],
  }))

/** A request without its number. */
type Question = Request extends infer R ? R extends { ticket: number } ? Omit<R, "ticket"> : never : never
type Answer = Reply["data"]

/** Work in order: runs may follow each other into the workers, a copy has the memory for itself. */
interface Task {
  readonly alone: boolean
  readonly start: () => Promise<unknown>
}

const start = async (options: WasmOptions): Promise<Started> => {
  const relaxed = options.relaxedSimd ?? hasRelaxedSimd()
  const { wide, told } = options.wideVectors !== undefined || !relaxed
    ? { wide: options.wideVectors ?? false, told: false }
    : findWideVectors(options.setFlags ?? true)
  const memory = options.sharedMemory === false ? undefined : makeSharedMemory(MAXIMUM_PAGES)
  if (memory === undefined && options.sharedMemory === true) {
    throw new BackendError({
      reason: "Unsupported",
      message: "Shared memory was asked for, but this runtime has none. A page needs the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.",
    })
  }
  const threads = memory === undefined ? 1 : options.threads ?? Math.min(16, await logicalProcessors())
  if (!Number.isInteger(threads) || threads < 1) {
    throw new BackendError({ reason: "BadInput", message: `threads must be a whole number from 1 on, not ${threads}` })
  }

  // What was asked and not yet answered.
  const waiting = new Map<
    number,
    { resolve: (data: Answer) => void; reject: (error: BackendError) => void; what: string }
  >()
  let tickets = 0
  let lost: BackendError | undefined
  const workers: Array<Thread<Request>> = []
  const close = (error: BackendError): void => {
    lost ??= error
    workers.forEach((worker) => worker.terminate())
    workers.length = 0
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  const fail = (ticket: number, cause: string): void => {
    // What breaks outside of a request is laid at the door of the oldest one.
    const number = waiting.has(ticket) ? ticket : [...waiting.keys()][0]
    const asked = waiting.get(number)
    waiting.delete(number)
    const what = asked?.what ?? "no request"
    asked?.reject(new BackendError({ reason: "Run", message: `The wasm backend failed in ${what}: ${cause}`, cause }))
    // A thread that stopped leaves the others at a barrier: nothing more can run here.
    close(
      new BackendError({
        reason: "Lost",
        message:
          `The wasm backend stopped after a failure in ${what}: ${cause}. Make a new one, go on from a checkpoint.`,
        cause,
      }),
    )
  }
  const onReply = (reply: Reply): void => {
    if (reply.error !== null) return fail(reply.ticket, reply.error)
    waiting.get(reply.ticket)?.resolve(reply.data)
    waiting.delete(reply.ticket)
  }
  const ask = (question: Question, what: string): Promise<Answer> => {
    if (lost !== undefined) return Promise.reject(lost)
    const ticket = tickets++
    return new Promise((resolve, reject) => {
      waiting.set(ticket, { resolve, reject, what })
      const request = { ...question, ticket } as Request
      const everyone = question.kind === "run" || question.kind === "load"
      const quiet = request.kind === "run" ? { ...request, inputs: [], outputs: [] } : request
      workers.forEach((worker, thread) => {
        if (thread === 0) worker.post(request)
        else if (everyone) worker.post(quiet)
      })
    })
  }

  try {
    for (let thread = 0; thread < threads; thread++) {
      workers.push(await startThread(engine, onReply, (message) => fail(-1, `worker ${thread}: ${message}`)))
    }
    // Every worker answers once, so that a worker that cannot start is an error here.
    await Promise.all(workers.map((worker, thread) =>
      new Promise<Answer>((resolve, reject) => {
        const ticket = tickets++
        waiting.set(ticket, { resolve, reject, what: `the start of worker ${thread}` })
        worker.post({
          kind: "start",
          ticket,
          thread,
          threads,
          memory: memory ?? null,
          initialPages: 1,
          maximumPages: MAXIMUM_PAGES,
        })
      })
    ))
  } catch (cause) {
    const error = new BackendError({ reason: "Unsupported", message: `wasm backend cannot start: ${cause}`, cause })
    close(error)
    throw error
  }

  // Order of work.
  const queue: Array<Task> = []
  let running = 0, copying = false
  const pump = (): void => {
    while (queue.length > 0 && !copying && !(queue[0].alone && running > 0)) {
      const task = queue.shift()!
      running++
      copying = task.alone
      const done = () => {
        running--
        copying = false
        pump()
      }
      task.start().then(done, done)
    }
  }
  const enqueue = <A>(alone: boolean, work: () => Promise<A>): Promise<A> =>
    new Promise((resolve, reject) => {
      queue.push({
        alone,
        start: () => {
          const result = lost === undefined ? work() : Promise.reject(lost)
          result.then(resolve, reject)
          return result
        },
      })
      pump()
    })

  // The memory, and who has which part of it.
  // Not up to 4 GiB: the address behind a block must be more than the block's.
  const limit = MAXIMUM_PAGES * PAGE - ALIGNMENT
  const allocator = makeAllocator(BARRIER_BYTES + threads * COUNTER_BYTES, limit, ALIGNMENT)
  let pages = 1
  let slotBytes = 0
  const reserve = (bytes: number, what: string): Block => {
    if (lost !== undefined) throw lost
    const outOfMemory = (most: number, cause?: unknown) =>
      new BackendError({
        reason: "OutOfMemory",
        message: `No room for ${what}: ${mebibytes(bytes)} asked, ${mebibytes(slotBytes)} in slots and ` +
          `${mebibytes(arena?.bytes ?? 0)} in temporaries in use, limit ${mebibytes(most)}. ` +
          "Use a smaller batch, shorter texts or a smaller model.",
        cause,
      })
    const block = allocator.allocate(bytes)
    if (block === undefined) throw outOfMemory(limit)
    const missing = Math.ceil(allocator.top() / PAGE) - pages
    if (missing > 0) {
      try {
        if (memory !== undefined) memory.grow(missing)
        else {enqueue(true, () => ask({ kind: "grow", pages: missing }, `growing the memory for ${what}`)).catch(
            () => {},
          )}
      } catch (cause) {
        allocator.free(block)
        throw outOfMemory(pages * PAGE, cause)
      }
      pages += missing
    }
    return block
  }
  const copyIn = (address: number, data: SlotData, what: string): Promise<unknown> =>
    enqueue(true, () => {
      // A message would carry the whole buffer that the array is a window of.
      if (memory === undefined) return ask({ kind: "write", address, data: data.slice() }, what)
      new Uint8Array(memory.buffer, address, data.byteLength).set(
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      )
      return Promise.resolve([])
    })
  const clear = (block: Block, what: string): void => {
    if (!block.reused) return
    enqueue(true, () => {
      const { address, bytes } = block
      if (memory === undefined) return ask({ kind: "zero", address, bytes }, what)
      new Uint8Array(memory.buffer, address, bytes).fill(0)
      return Promise.resolve([])
    }).catch(() => {}) // whoever uses the slot next hears of it
  }

  const slots = new Map<number, { slot: Slot; block: Block }>()
  let slotNumbers = 0
  const placeOf = (slot: Slot, user = "a copy"): Block => {
    const held = slots.get(slot.id)
    if (held === undefined) {
      throw new BackendError({
        reason: "BadInput",
        message: `Slot ${slot.id} "${slot.name}", which ${user} needs, was freed or is not of this backend`,
      })
    }
    return held.block
  }
  const allocate: BackendService["allocate"] = (name, shape, dtype, storage) => {
    const slot = makeSlot(slotNumbers, name, shape, dtype, storage)
    const block = reserve(bytesFor(encodingOf(storage), sizeOf(shape)), `slot "${name}" [${shape}]`)
    clear(block, `clearing slot "${name}"`)
    slotNumbers++
    slots.set(slot.id, { slot, block })
    slotBytes += block.bytes
    return slot
  }
  const free = (slot: Slot): void => {
    const held = slots.get(slot.id)
    if (held === undefined) return
    slots.delete(slot.id)
    slotBytes -= held.block.bytes
    allocator.free(held.block)
  }
  const write = async (slot: Slot, data: SlotData, offset = 0): Promise<void> => {
    const { address } = placeOf(slot)
    checkWrite(slot, data, offset)
    const encoding = encodingOf(slot.storage)
    const at = address + bytesFor(encoding, offset), what = `writing slot "${slot.name}"`
    if (encoding === F32 || data instanceof Uint8Array) return void await copyIn(at, data, what)
    if (memory === undefined) return void await copyIn(at, encoded(encoding, data), what)
    // Without an array between: many of them wait long to be collected.
    const bytes = new Uint8Array(memory.buffer, at, bytesFor(encoding, data.length))
    await enqueue(true, () => Promise.resolve(encoding.encode!(data as Float32Array, bytes)))
  }
  const read = async (slot: Slot): Promise<Float32Array | Int32Array> => {
    const { address } = placeOf(slot)
    const encoding = encodingOf(slot.storage)
    const length = sizeOf(slot.shape), bytes = bytesFor(encoding, length)
    return await enqueue(true, async () => {
      if (memory === undefined) {
        const plain = encoding === F32
        const region: Region = { address, length: Math.ceil(bytes / 4), dtype: plain ? slot.dtype : "i32" }
        const [data] = await ask({ kind: "read", region }, `reading slot "${slot.name}"`)
        return plain ? data : decoded(encoding, new Uint8Array(data.buffer, 0, bytes), length)
      }
      // Arrays of their own, not of the shared memory.
      if (slot.dtype === "i32") return new Int32Array(memory.buffer, address, length).slice()
      return decoded(encoding, new Uint8Array(memory.buffer, address, bytes), length)
    })
  }

  // One arena, as large as the largest plan asked for.
  let arena: Block | undefined
  const enlargeArena = (bytes: number, what: string): void => {
    if (arena !== undefined && arena.bytes >= bytes) return
    const old = arena
    if (old !== undefined) allocator.free(old)
    arena = undefined
    try {
      arena = reserve(bytes, what)
    } catch (error) {
      // The place that was just given back is still there.
      if (old !== undefined) arena = allocator.allocate(old.bytes)
      throw error
    }
  }

  let programs = 0
  const compile: BackendService["compile"] = async (program, { trace } = {}) => {
    if (lost !== undefined) throw lost
    const used = slotsOf(program, slots)
    const plan = lower(program, {
      target: { relaxed, wide },
      threads,
      shared: memory !== undefined,
      trace: trace !== undefined,
      slotAddress: (id) => slots.get(id)!.block.address,
    })
    const number = programs++
    const what = `program "${program.name}"`
    let module: WebAssembly.Module
    try {
      module = await WebAssembly.compile(plan.code)
    } catch (cause) {
      throw new BackendError({ reason: "Compile", message: `${what} is not valid WebAssembly: ${cause}`, cause })
    }
    enlargeArena(plan.arenaBytes, `the temporaries of ${what}`)
    const constants = plan.constantBytes > 0 ? reserve(plan.constantBytes, `the constants of ${what}`) : undefined
    const address = ({ base, offset }: PlannedRegion) =>
      offset + (base === "arena" ? arena!.address : base === "constants" ? constants!.address : 0)
    const region = (planned: PlannedRegion): Region => ({
      address: address(planned),
      length: planned.length,
      dtype: planned.dtype,
    })
    const loaded = [
      ...plan.constants.map(({ offset, data }) =>
        copyIn(constants!.address + offset, data, `the constants of ${what}`)
      ),
      enqueue(false, () => ask({ kind: "load", program: number, module }, `loading ${what}`)),
    ]
    await Promise.all(loaded)

    const check = (inputs: RunData): void => {
      used.forEach(({ slot }) => placeOf(slot, what))
      for (const { name, length, dtype } of plan.inputs) {
        const data = inputs[name]
        if (data?.length === length && (data instanceof Int32Array) === (dtype === "i32")) continue
        const given = data === undefined ? "nothing" : `${data.length} elements of a ${data.constructor.name}`
        throw new BackendError({
          reason: "BadInput",
          message: `Input "${name}" of ${what} takes ${length} ${dtype} elements, not ${given}`,
        })
      }
    }
    let disposed = false
    const run: Executable["run"] = async (inputs) => {
      check(inputs)
      // The caller may use its arrays again before this run's turn comes.
      const given = plan.inputs.map(({ name }) => inputs[name].slice())
      if (disposed) throw new BackendError({ reason: "BadInput", message: `${what} was disposed` })
      // Places as they are now: whoever gets them next writes to them after this run.
      const question = {
        kind: "run" as const,
        program: number,
        arena: arena!.address,
        constants: constants?.address ?? 0,
        inputs: plan.inputs.map((input, i) => ({ address: address(input), data: given[i] })),
        outputs: [...plan.outputs, ...plan.times === undefined ? [] : [plan.times]].map(region),
        times: plan.times === undefined ? null : region(plan.times),
        began: performance.timeOrigin + performance.now(),
      }
      const data = await enqueue(false, () => ask(question, what))
      trace?.(callTimes(data.at(-1)!, threads))
      return Object.fromEntries(plan.outputs.map(({ name }, i) => [name, data[i]]))
    }
    const dispose = (): void => {
      if (disposed) return
      disposed = true
      // After the runs that were asked for.
      enqueue(true, () => {
        if (constants !== undefined) allocator.free(constants)
        workers.forEach((worker) => worker.post({ kind: "unload", program: number }))
        return Promise.resolve()
      }).catch(() => {}) // a lost backend holds nothing
    }
    return { run, temporaryBytes: plan.arenaBytes, dispose }
  }

  const memoryNow = (): BackendMemory => ({ slotBytes, temporaryBytes: arena?.bytes ?? 0, totalBytes: pages * PAGE })
  const description = `CPU by WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}, ` +
    `${relaxed ? "relaxed" : "plain"} SIMD${wide ? " in wide vectors" : ""}${
      wide && told ? " (V8's flag set here)" : ""
    }, ${memory === undefined ? "memory of one thread" : "shared memory"}`
  return {
    service: {
      info: { name: "wasm", description, threads },
      allocate,
      free,
      write,
      read,
      compile,
      memory: memoryNow,
    },
    close: () => close(new BackendError({ reason: "Lost", message: "The wasm backend was closed" })),
  }
}

/** The backend as a resource: its workers end with the scope. Fails with `Unsupported` where it cannot run. */
export const layer = (options: WasmOptions = {}): Layer.Layer<Backend, BackendError> =>
  resource("wasm", () => start(options))
