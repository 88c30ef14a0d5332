/**
 * The engine's thread. {@link engine} imports nothing and uses nothing of this module: its text is the whole worker.
 * @module
 */

/** Where something lies in the memory, and how it is to be seen. */
export interface Region {
  /** First byte. */
  readonly address: number
  /** Number of elements. */
  readonly length: number
  readonly dtype: "f32" | "i32"
}

/** What the main side asks. Thread 0 answers what has a `ticket`, all answer `start`, and each reports a failure. */
export type Request =
  /** Without `memory` the thread makes its own, not shared. */
  | {
    readonly kind: "start"
    readonly ticket: number
    readonly thread: number
    readonly threads: number
    readonly memory: WebAssembly.Memory | null
    readonly initialPages: number
    readonly maximumPages: number
  }
  | { readonly kind: "grow"; readonly ticket: number; readonly pages: number }
  | { readonly kind: "load"; readonly ticket: number; readonly program: number; readonly module: WebAssembly.Module }
  | { readonly kind: "unload"; readonly program: number }
  | {
    readonly kind: "run"
    readonly ticket: number
    readonly program: number
    /** First bytes of the temporaries and of the program's constants. */
    readonly arena: number
    readonly constants: number
    /** Data of the inputs and first bytes of their places, for thread 0. */
    readonly inputs: ReadonlyArray<{ readonly address: number; readonly data: Float32Array | Int32Array }>
    readonly outputs: ReadonlyArray<Region>
    /** Where a program whose calls are functions of their own writes when they began and ended. */
    readonly times: Region | null
    /** Moment of the asking, which those times count from: milliseconds since 1970, a clock that all threads have. */
    readonly began: number
  }
  | {
    readonly kind: "write"
    readonly ticket: number
    readonly address: number
    readonly data: Float32Array | Int32Array | Uint8Array
  }
  | { readonly kind: "zero"; readonly ticket: number; readonly address: number; readonly bytes: number }
  | { readonly kind: "read"; readonly ticket: number; readonly region: Region }

/** What comes back. `error` is set when the request failed. */
export interface Reply {
  readonly ticket: number
  /** What was read, for `run` and `read`. */
  readonly data: Array<Float32Array | Int32Array>
  readonly error: string | null
}

/**
 * The thread's whole program.
 *
 * @param post Sends a reply.
 * @param receive Registers the handler of requests.
 */
export function engine(
  post: (reply: Reply, transfer: Array<ArrayBuffer>) => void,
  receive: (handler: (request: Request) => void) => void,
): void {
  let memory: WebAssembly.Memory
  let thread = 0
  let threads = 1
  type Run = (thread: number, threads: number, arena: number, constants: number) => void
  const programs = new Map<number, WebAssembly.Exports>()

  const write = (address: number, data: Float32Array | Int32Array | Uint8Array) =>
    new Uint8Array(memory.buffer, address, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    )
  // A copy into memory of its own: views of a shared memory cannot be transferred.
  const read = ({ address, length, dtype }: Region) => {
    const data = dtype === "i32" ? new Int32Array(length) : new Float32Array(length)
    data.set(
      dtype === "i32"
        ? new Int32Array(memory.buffer, address, length)
        : new Float32Array(memory.buffer, address, length),
    )
    return data
  }
  const runTimed = (program: WebAssembly.Exports, { address, length }: Region, began: number): void => {
    const times = new Float32Array(memory.buffer, address, length)
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
        memory = request.memory ??
          new WebAssembly.Memory({ initial: request.initialPages, maximum: request.maximumPages })
        return []
      case "grow":
        memory.grow(request.pages)
        return []
      case "load":
        programs.set(request.program, new WebAssembly.Instance(request.module, { env: { memory } }).exports)
        return []
      case "unload":
        programs.delete(request.program)
        return []
      case "run": {
        // The plan begins with a barrier and ends with one, so the other threads see the inputs and thread 0 the outputs.
        for (const input of request.inputs) write(input.address, input.data)
        const program = programs.get(request.program)!
        ;(program.run as Run)(thread, threads, request.arena, request.constants)
        if (request.times !== null) runTimed(program, request.times, request.began)
        return thread === 0 ? request.outputs.map(read) : []
      }
      case "write":
        write(request.address, request.data)
        return []
      case "zero":
        new Uint8Array(memory.buffer, request.address, request.bytes).fill(0)
        return []
      case "read":
        return [read(request.region)]
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
