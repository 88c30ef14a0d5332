import type { Buffers } from "./buffers.ts"
import type { Compile, Pipeline } from "./pipelines.ts"
import type { RequestOf } from "./protocol.ts"
import type { Submit } from "./results.ts"

/** Loaded programs by number. */
export interface Programs {
  readonly load: (request: RequestOf<"load">) => Promise<void>
  readonly unload: (program: number) => void
  /** Runs once; gives the outputs. */
  readonly run: (request: RequestOf<"run">) => Promise<Array<ArrayBuffer>>
}

/** No programs yet. */
export function makePrograms(device: GPUDevice, buffers: Buffers, compile: Compile, submit: Submit): Programs {
  interface Loaded {
    readonly load: RequestOf<"load">
    readonly shaders: ReadonlyArray<Pipeline>
    readonly queries: ReadonlyArray<GPUQuerySet>
    /** Made at the first run, and again after a buffer was replaced. */
    groups: Array<GPUBindGroup>
    version: number
  }
  /** Dispatches per query set: the API allows 4096 queries. */
  const QUERIES = 2048
  const programs = new Map<number, Loaded>()
  const makeQueries = ({ times, dispatches }: RequestOf<"load">): Array<GPUQuerySet> => {
    const sets: Array<GPUQuerySet> = []
    for (let first = 0; times >= 0 && first < dispatches.length; first += QUERIES) {
      const count = 2 * Math.min(QUERIES, dispatches.length - first)
      sets.push(device.createQuerySet({ type: "timestamp", count }))
    }
    return sets
  }
  const updateGroups = (loaded: Loaded): void => {
    if (loaded.version === buffers.version()) return
    loaded.groups = loaded.load.dispatches.map(({ label, shader, bindings }) =>
      device.createBindGroup({
        label,
        layout: loaded.shaders[shader].layout,
        entries: bindings.map(({ buffer, offset, bytes }, binding) => ({
          binding,
          resource: { buffer: buffers.of(buffer), offset, size: bytes },
        })),
      })
    )
    loaded.version = buffers.version()
  }
  const record = (encoder: GPUCommandEncoder, { load, shaders, groups, queries }: Loaded): void => {
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
      pass.setBindGroup(0, groups[i])
      pass.dispatchWorkgroups(...workgroups)
    })
    pass?.end()
    queries.forEach((set, i) => encoder.resolveQuerySet(set, 0, set.count, buffers.of(load.times), 16 * QUERIES * i))
  }
  return {
    load: async (request) => {
      const shaders = await Promise.all(request.shaders.map(compile))
      const load = { ...request, shaders: [] }
      programs.set(request.program, { load, shaders, queries: makeQueries(request), groups: [], version: -1 })
    },
    unload: (program) => {
      for (const set of programs.get(program)?.queries ?? []) set.destroy()
      programs.delete(program)
    },
    run: ({ program, inputs }) => {
      const loaded = programs.get(program)!
      const { label, outputs, inputs: inputBuffer } = loaded.load
      return submit(label, outputs, (encoder) => {
        updateGroups(loaded)
        if (inputs.byteLength > 0) device.queue.writeBuffer(buffers.of(inputBuffer), 0, inputs)
        record(encoder, loaded)
      })
    },
  }
}
