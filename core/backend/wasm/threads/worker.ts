/**
 * The engine's thread. {@link engine} imports nothing and uses nothing of this module: its text is the whole worker.
 * @module
 */

/** An array in the memory. */
export interface Region {
  /** First byte. */
  readonly address: number
  /** Number of elements. */
  readonly length: number
  readonly dtype: "f32" | "i32"
}

/** A memory of the engine. */
export interface MemoryGiven {
  /** Without it the thread makes its own unshared memory. */
  readonly memory: WebAssembly.Memory | null
  readonly initialPages: number
  readonly maximumPages: number
}

/** Requests. Thread 0 answers those with a `ticket`, all threads answer `start`, and each reports failures. */
export type Request =
  /** With the first memory. */
  | { readonly kind: "start"; readonly ticket: number; readonly thread: number; readonly threads: number } & MemoryGiven
  /** A further memory, for programs that are loaded later. */
  | { readonly kind: "memory"; readonly ticket: number; readonly number: number } & MemoryGiven
  | { readonly kind: "grow"; readonly ticket: number; readonly memory: number; readonly pages: number }
  | { readonly kind: "load"; readonly ticket: number; readonly program: number; readonly module: WebAssembly.Module }
  | { readonly kind: "unload"; readonly program: number }
  | {
    readonly kind: "run"
    readonly ticket: number
    readonly program: number
    /** First bytes of temporaries and constants. */
    readonly arena: number
    readonly constants: number
    /** Inputs and the addresses they are copied to, for thread 0. */
    readonly inputs: ReadonlyArray<{ readonly address: number; readonly data: Float32Array | Int32Array }>
    readonly outputs: ReadonlyArray<Region>
    /** Where a traced program writes start and end of its calls. */
    readonly times: Region | null
    /** Time of the request, from which those times count: milliseconds since 1970, a clock shared by all threads. */
    readonly began: number
  }
  | {
    readonly kind: "write"
    readonly ticket: number
    readonly memory: number
    readonly address: number
    readonly data: Float32Array | Int32Array | Uint8Array
  }
  | {
    readonly kind: "zero"
    readonly ticket: number
    readonly memory: number
    readonly address: number
    readonly bytes: number
  }
  | { readonly kind: "read"; readonly ticket: number; readonly memory: number; readonly region: Region }

/** Answers. `error` is set if the request failed. */
export interface Reply {
  readonly ticket: number
  /** What was read, for `run` and `read`. */
  readonly data: Array<Float32Array | Int32Array>
  readonly error: string | null
}

/**
 * The program of a thread.
 *
 * @param post Sends a reply.
 * @param receive Registers the handler of requests.
 */
export function engine(
  post: (reply: Reply, transfer: Array<ArrayBuffer>) => void,
  receive: (handler: (request: Request) => void) => void,
): void {
  /** By number. */
  const memories: Array<WebAssembly.Memory> = []
  let thread = 0
  let threads = 1
  type Run = (thread: number, threads: number, arena: number, constants: number) => void
  const programs = new Map<number, WebAssembly.Exports>()

  const made = ({ memory, initialPages, maximumPages }: MemoryGiven) =>
    memory ?? new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages })
  const write = (memory: number, address: number, data: Float32Array | Int32Array | Uint8Array) =>
    new Uint8Array(memories[memory].buffer, address, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    )
  // Copied, since views of a shared memory cannot be transferred.
  const read = (memory: number, { address, length, dtype }: Region) => {
    const { buffer } = memories[memory]
    const data = dtype === "i32" ? new Int32Array(length) : new Float32Array(length)
    data.set(dtype === "i32" ? new Int32Array(buffer, address, length) : new Float32Array(buffer, address, length))
    return data
  }
  const runTimed = (program: WebAssembly.Exports, { address, length }: Region, began: number): void => {
    const times = new Float32Array(memories[0].buffer, address, length)
    const now = () => performance.timeOrigin - began + performance.now()
    for (let call = 0; call < length / (2 * threads); call++) {
      const at = 2 * (call * threads + thread)
      times[at] = now()
      ;(program[`call${call}`] as () => void)()
      times[at + 1] = now()
      ;(program.wait as () => void)()
    }
  }
  const handle = (request: Request): Array<Float32Array | Int32Array> => {
    switch (request.kind) {
      case "start":
        thread = request.thread
        threads = request.threads
        memories[0] = made(request)
        return []
      case "memory":
        memories[request.number] = made(request)
        return []
      case "grow":
        memories[request.memory].grow(request.pages)
        return []
      case "load": {
        const env = Object.fromEntries(memories.map((memory, i) => [`memory${i === 0 ? "" : i}`, memory]))
        programs.set(request.program, new WebAssembly.Instance(request.module, { env }).exports)
        return []
      }
      case "unload":
        programs.delete(request.program)
        return []
      case "run": {
        // The plan starts and ends with a barrier, so the other threads see the inputs and thread 0 the outputs.
        for (const input of request.inputs) write(0, input.address, input.data)
        const program = programs.get(request.program)!
        ;(program.run as Run)(thread, threads, request.arena, request.constants)
        if (request.times !== null) runTimed(program, request.times, request.began)
        return thread === 0 ? request.outputs.map((region) => read(0, region)) : []
      }
      case "write":
        write(request.memory, request.address, request.data)
        return []
      case "zero":
        new Uint8Array(memories[request.memory].buffer, request.address, request.bytes).fill(0)
        return []
      case "read":
        return [read(request.memory, request.region)]
    }
  }
  receive((request) => {
    const ticket = request.kind === "unload" ? -1 : request.ticket
    try {
      const data = handle(request)
      if (ticket >= 0 && (thread === 0 || request.kind === "start")) {
        post({ ticket, data, error: null }, data.map((array) => array.buffer as ArrayBuffer))
      }
    } catch (cause) {
      post({ ticket, data: [], error: `${cause}` }, [])
    }
  })
}
