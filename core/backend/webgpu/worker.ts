/**
 * The thread that holds the device. A GPU call can block it (Deno waits for kernels), but never the caller.
 * {@link engine} imports nothing and uses nothing of this module: its text is the whole worker.
 * @module
 */

/** Bytes of a GPU buffer, by its number. */
export interface Region {
  readonly buffer: number
  readonly offset: number
  readonly bytes: number
}

/** A shader of a program. */
export interface ShaderText {
  readonly label: string
  readonly code: string
  /** For each binding, whether it is `read_write`. */
  readonly writable: ReadonlyArray<boolean>
}

/** Requests, in order. All but runs and reads are finished before the next request is handled. */
export type Request =
  | { readonly kind: "start"; readonly ticket: number; readonly software: boolean }
  /** Makes a buffer of zeros; replaces an existing buffer of this number. */
  | { readonly kind: "create"; readonly ticket: number; readonly buffer: number; readonly bytes: number }
  | { readonly kind: "destroy"; readonly ticket: number; readonly buffers: ReadonlyArray<number> }
  | {
    readonly kind: "write"
    readonly ticket: number
    readonly buffer: number
    readonly offset: number
    readonly data: ArrayBuffer
    /** How many bytes at the start of the first word, and at the end of the last one, to keep. */
    readonly keep?: { readonly first: number; readonly last: number }
  }
  | { readonly kind: "read"; readonly ticket: number; readonly region: Region }
  | {
    readonly kind: "load"
    readonly ticket: number
    readonly program: number
    readonly label: string
    readonly shaders: ReadonlyArray<ShaderText>
    readonly dispatches: ReadonlyArray<{
      readonly label: string
      /** Index in `shaders`. */
      readonly shader: number
      readonly workgroups: readonly [number, number, number]
      readonly bindings: ReadonlyArray<Region>
    }>
    /** Buffer of the inputs; their bytes come with each run. */
    readonly inputs: number
    readonly outputs: ReadonlyArray<Region>
    /** Buffer for start and end of each dispatch in nanoseconds; -1 without timing. */
    readonly times: number
  }
  | { readonly kind: "unload"; readonly ticket: number; readonly program: number }
  | { readonly kind: "run"; readonly ticket: number; readonly program: number; readonly inputs: ArrayBuffer }
  /** Releases the device. */
  | { readonly kind: "close"; readonly ticket: number }

/** Facts about the device. */
export interface DeviceFacts {
  /** Name of the adapter. */
  readonly description: string
  readonly software: boolean
  readonly subgroups: { readonly smallest: number; readonly largest: number } | undefined
  /** Whether WGSL needs an `enable subgroups;` line. */
  readonly enableSubgroups: boolean
  /** Whether it has timestamps. */
  readonly timestamps: boolean
  /** The limits that matter, by their names in the API. */
  readonly limits: Readonly<Record<string, number>>
}

/** Answers. */
export interface Reply {
  /** Number of the request; -1 if the device is lost. */
  readonly ticket: number
  /** What was read, for `run` and `read`. */
  readonly data: Array<ArrayBuffer>
  /** For `start`. */
  readonly device?: DeviceFacts
  /** Bytes of all GPU buffers at this moment. */
  readonly bytes: number
  readonly error: {
    readonly reason: "Unsupported" | "OutOfMemory" | "Compile" | "Run" | "Lost"
    readonly message: string
  } | null
}

/**
 * The program of the thread.
 *
 * @param post Sends a reply.
 * @param receive Registers the handler of requests.
 */
export function engine(
  post: (reply: Reply, transfer: Array<ArrayBuffer>) => void,
  receive: (handler: (request: Request) => void) => void,
): void {
  type Failure = NonNullable<Reply["error"]>
  interface Compiled {
    readonly pipeline: GPUComputePipeline
    readonly layout: GPUBindGroupLayout
  }
  interface Loaded {
    readonly load: Extract<Request, { kind: "load" }>
    readonly shaders: ReadonlyArray<Compiled>
    readonly queries: ReadonlyArray<GPUQuerySet>
    /** Made at the first run, and again after a buffer was replaced. */
    groups: Array<GPUBindGroup>
    version: number
  }
  let device: GPUDevice
  let held = 0
  const MOST_UNSENT = 1 << 25
  /** Bytes written since the last submit. */
  let unsent = 0
  /** Counts replaced buffers. */
  let version = 0
  let lost: Failure | undefined
  const buffers = new Map<number, GPUBuffer>()
  const programs = new Map<number, Loaded>()
  /** Shaders of all programs by their code. */
  const compiled = new Map<string, Compiled>()
  const layouts = new Map<string, GPUBindGroupLayout>()
  /** Submitted copies that are not yet read. */
  let pending: Array<
    { ticket: number; staging: GPUBuffer; parts: ReadonlyArray<Region>; failed: Promise<GPUError | null> }
  > = []
  let reading = false

  const failure = (reason: Failure["reason"], message: string): Failure => ({ reason, message })
  const answer = (ticket: number, more: Partial<Reply> = {}): void => {
    const data = more.data ?? []
    post({ ticket, error: null, bytes: held, ...more, data }, data)
  }
  const makeBuffer = (bytes: number, usage: number, label: string): GPUBuffer => {
    const buffer = device.createBuffer({ size: bytes, usage, label })
    held += bytes
    return buffer
  }
  const drop = (buffer: GPUBuffer | undefined): void => {
    if (buffer === undefined) return
    held -= buffer.size
    buffer.destroy()
  }
  const bufferOf = (number: number): GPUBuffer => {
    const buffer = buffers.get(number)
    if (buffer === undefined) throw failure("OutOfMemory", `GPU buffer ${number} could not be made`)
    return buffer
  }

  const begin = async (software: boolean): Promise<DeviceFacts> => {
    const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
    if (gpu === undefined) throw failure("Unsupported", "this runtime has no navigator.gpu; use the wasm backend")
    const request = async () => {
      const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" })
      if (adapter === null) throw failure("Unsupported", "this machine has no WebGPU adapter; use the wasm backend")
      return adapter
    }
    let adapter = await request()
    const { vendor, architecture, device: name, description } = adapter.info
    const text = description || [vendor, architecture, name].filter((part) => part !== "").join(" ") ||
      "unnamed adapter"
    const isSoftware = adapter.info.isFallbackAdapter === true ||
      /llvmpipe|lavapipe|swiftshader|software|basic render/i.test(`${text} ${vendor} ${architecture} ${name}`)
    if (isSoftware && !software) throw failure("Unsupported", `the only WebGPU adapter is a software one (${text})`)
    const limits = Object.fromEntries(
      ([
        "maxBufferSize",
        "maxStorageBufferBindingSize",
        "maxStorageBuffersPerShaderStage",
        "maxComputeWorkgroupsPerDimension",
      ] as const).map((limit) => [limit, adapter.limits[limit]]),
    )
    let subgroups = true
    const timestamps = adapter.features.has("timestamp-query")
    const features: Array<GPUFeatureName> = timestamps ? ["timestamp-query"] : []
    try {
      // Deno grants features that it does not list.
      device = await adapter.requestDevice({
        requiredLimits: limits,
        requiredFeatures: [...features, "subgroups" as GPUFeatureName],
      })
    } catch {
      subgroups = false
      adapter = await request()
      device = await adapter.requestDevice({ requiredLimits: limits, requiredFeatures: features })
    }
    device.lost.then(({ message, reason }) => {
      lost = failure("Lost", `the GPU device was lost (${reason}): ${message}`)
      answer(-1, { error: lost })
    })
    device.pushErrorScope("validation")
    device.createShaderModule({ code: "enable subgroups;\n@compute @workgroup_size(1) fn main() {}" })
    const enableSubgroups = await device.popErrorScope() === null
    const info = adapter.info as { subgroupMinSize?: number; subgroupMaxSize?: number }
    return {
      description: text,
      software: isSoftware,
      subgroups: subgroups ? { smallest: info.subgroupMinSize ?? 4, largest: info.subgroupMaxSize ?? 128 } : undefined,
      enableSubgroups,
      timestamps,
      limits,
    }
  }

  const create = async (number: number, bytes: number): Promise<void> => {
    device.pushErrorScope("validation")
    device.pushErrorScope("out-of-memory")
    const buffer = makeBuffer(bytes, 512 | 128 | 4 | 8, `buffer ${number}`) // QUERY_RESOLVE | STORAGE | COPY_SRC | COPY_DST
    const problems = [await device.popErrorScope(), await device.popErrorScope()]
    for (const problem of problems) {
      if (problem === null) continue
      drop(buffer)
      throw failure("OutOfMemory", `the device has no room for ${bytes} bytes: ${problem.message}`)
    }
    if (buffers.has(number)) version++
    drop(buffers.get(number))
    buffers.set(number, buffer)
  }

  const layoutOf = (writable: ReadonlyArray<boolean>): GPUBindGroupLayout => {
    const key = writable.map((writes) => writes ? "w" : "r").join("")
    let layout = layouts.get(key)
    if (layout === undefined) {
      layout = device.createBindGroupLayout({
        entries: writable.map((writes, binding) => ({
          binding,
          visibility: 4, // COMPUTE
          buffer: { type: writes ? "storage" : "read-only-storage" },
        })),
      })
      layouts.set(key, layout)
    }
    return layout
  }
  const compile = async ({ label, code, writable }: ShaderText): Promise<Compiled> => {
    const known = compiled.get(code)
    if (known !== undefined) return known
    device.pushErrorScope("validation")
    const module = device.createShaderModule({ label, code })
    const checked = device.popErrorScope()
    const layout = layoutOf(writable)
    const made = device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    }).catch((cause: unknown) => failure("Compile", `pipeline of ${label}: ${cause}`))
    const problem = await checked
    if (problem !== null) throw failure("Compile", `shader of ${label}: ${problem.message}`)
    const pipeline = await made
    if ("reason" in pipeline) throw pipeline
    const shader = { pipeline, layout }
    compiled.set(code, shader)
    return shader
  }

  /** Submits commands, then copies regions into a staging buffer, to be read with other pending ones. */
  const submit = (
    ticket: number,
    label: string,
    regions: ReadonlyArray<Region>,
    record: (encoder: GPUCommandEncoder) => void,
  ): void => {
    let bytes = 0
    const parts = regions.map((region) => {
      const part = { ...region, offset: bytes }
      bytes += region.bytes
      return part
    })
    device.pushErrorScope("validation")
    let failed: Promise<GPUError | null> | undefined
    const staging = makeBuffer(Math.max(4, bytes), 1 | 8, "results") // MAP_READ | COPY_DST
    try {
      const encoder = device.createCommandEncoder({ label })
      record(encoder)
      regions.forEach(({ buffer, offset, bytes }, i) => {
        if (bytes > 0) encoder.copyBufferToBuffer(bufferOf(buffer), offset, staging, parts[i].offset, bytes)
      })
      device.queue.submit([encoder.finish()])
    } catch (cause) {
      drop(staging)
      throw cause
    } finally {
      failed = device.popErrorScope()
    }
    pending.push({ ticket, staging, parts, failed })
    if (reading) return
    reading = true
    // After the requests received so far, so that all results are read at once.
    setTimeout(readAll, 0)
  }
  const readAll = async (): Promise<void> => {
    while (pending.length > 0) {
      const batch = pending
      pending = []
      await Promise.all(batch.map(async ({ ticket, staging, parts, failed }) => {
        try {
          const problem = await failed
          if (problem !== null) throw failure("Run", problem.message)
          await staging.mapAsync(1) // READ
          const all = staging.getMappedRange()
          const data = parts.map(({ offset, bytes }) => all.slice(offset, offset + bytes))
          drop(staging)
          answer(ticket, { data })
        } catch (cause) {
          drop(staging)
          answer(ticket, { error: asFailure(cause) })
        }
      }))
    }
    reading = false
  }

  /** Dispatches per query set: the API allows 4096 queries. */
  const QUERIES = 2048
  const makeQueries = ({ times, dispatches }: Extract<Request, { kind: "load" }>): Array<GPUQuerySet> => {
    const sets: Array<GPUQuerySet> = []
    for (let first = 0; times >= 0 && first < dispatches.length; first += QUERIES) {
      const count = 2 * Math.min(QUERIES, dispatches.length - first)
      sets.push(device.createQuerySet({ type: "timestamp", count }))
    }
    return sets
  }
  const run = ({ ticket, program, inputs }: Extract<Request, { kind: "run" }>): void => {
    const loaded = programs.get(program)!
    const { load, shaders } = loaded
    submit(ticket, load.label, load.outputs, (encoder) => {
      if (loaded.version !== version) {
        loaded.groups = load.dispatches.map(({ label, shader, bindings }) =>
          device.createBindGroup({
            label,
            layout: shaders[shader].layout,
            entries: bindings.map(({ buffer, offset, bytes }, binding) => ({
              binding,
              resource: { buffer: bufferOf(buffer), offset, size: bytes },
            })),
          })
        )
        loaded.version = version
      }
      if (inputs.byteLength > 0) device.queue.writeBuffer(bufferOf(load.inputs), 0, inputs)
      const { queries } = loaded
      // Timestamps are read only between passes.
      const timed = (i: number): GPUComputePassDescriptor => ({
        label: load.label,
        timestampWrites: {
          querySet: queries[Math.floor(i / QUERIES)],
          beginningOfPassWriteIndex: 2 * (i % QUERIES),
          endOfPassWriteIndex: 2 * (i % QUERIES) + 1,
        },
      })
      let pass: GPUComputePassEncoder | undefined
      load.dispatches.forEach(({ shader, workgroups }, i) => {
        if (queries.length > 0) pass?.end()
        if (queries.length > 0 || pass === undefined) {
          pass = encoder.beginComputePass(queries.length > 0 ? timed(i) : { label: load.label })
        }
        pass.setPipeline(shaders[shader].pipeline)
        pass.setBindGroup(0, loaded.groups[i])
        pass.dispatchWorkgroups(...workgroups)
      })
      pass?.end()
      queries.forEach((set, i) => encoder.resolveQuerySet(set, 0, set.count, bufferOf(load.times), 16 * QUERIES * i))
    })
  }

  /** Merges the bytes that a write must keep into the data. */
  const keepBytes = async ({ buffer, offset, data, keep }: Extract<Request, { kind: "write" }>): Promise<void> => {
    if (!keep?.first && !keep?.last) return
    const end = data.byteLength - 4
    const words = makeBuffer(8, 1 | 8, "words") // MAP_READ | COPY_DST
    try {
      const encoder = device.createCommandEncoder()
      encoder.copyBufferToBuffer(bufferOf(buffer), offset, words, 0, 4)
      encoder.copyBufferToBuffer(bufferOf(buffer), offset + end, words, 4, 4)
      device.queue.submit([encoder.finish()])
      await words.mapAsync(1) // READ
      const old = new Uint8Array(words.getMappedRange()), bytes = new Uint8Array(data)
      bytes.set(old.subarray(0, keep.first))
      bytes.set(old.subarray(8 - keep.last), bytes.length - keep.last)
    } finally {
      drop(words)
    }
  }

  const asFailure = (cause: unknown): Failure =>
    lost ??
      (typeof cause === "object" && cause !== null && "reason" in cause ? cause as Failure : failure("Run", `${cause}`))
  const handle = async (request: Request): Promise<void> => {
    const { ticket } = request
    if (lost !== undefined) throw lost
    switch (request.kind) {
      case "start":
        return answer(ticket, { device: await begin(request.software) })
      case "create":
        await create(request.buffer, request.bytes)
        return answer(ticket)
      case "destroy":
        for (const number of request.buffers) {
          drop(buffers.get(number))
          buffers.delete(number)
        }
        return answer(ticket)
      case "write":
        await keepBytes(request)
        device.queue.writeBuffer(bufferOf(request.buffer), request.offset, request.data)
        unsent += request.data.byteLength
        if (unsent > MOST_UNSENT) {
          // Written data is kept a second time in host memory until the next submit.
          device.queue.submit([])
          unsent = 0
        }
        return answer(ticket)
      case "read":
        return submit(ticket, "read", [request.region], () => {})
      case "load": {
        const shaders = await Promise.all(request.shaders.map(compile))
        const load = { ...request, shaders: [] }
        programs.set(request.program, { load, shaders, queries: makeQueries(request), groups: [], version: -1 })
        return answer(ticket)
      }
      case "unload":
        for (const set of programs.get(request.program)?.queries ?? []) set.destroy()
        programs.delete(request.program)
        return answer(ticket)
      case "run":
        return run(request)
      case "close":
        device.destroy()
        return answer(ticket)
    }
  }
  let last: Promise<void> = Promise.resolve()
  receive((request) => {
    last = last.then(() => handle(request)).catch((cause) => answer(request.ticket, { error: asFailure(cause) }))
  })
}
