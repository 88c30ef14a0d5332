/**
 * What a backend offers to the rest: memory that stays (slots), and programs that run over it.
 *
 * The methods are plain promises on purpose: they are called once or a few times a step. The service's life (workers,
 * memory, a device) is an Effect resource: see the layers of each backend.
 * @module
 */
import * as Context from "effect/Context"
import type { DType, StoredAs } from "../../kernels/contract.ts"
import type { Program } from "../graph/program.ts"

/** Memory of a backend that outlives a run. */
export interface Slot {
  /** The number by which programs name it. */
  readonly id: number
  /** For people: errors and listings. */
  readonly name: string
  /** Extents of its axes. */
  readonly shape: ReadonlyArray<number>
  /** Type of its elements. */
  readonly dtype: DType
  /** How its memory holds the elements. Default `"f32"`. */
  readonly storage?: StoredAs
}

/** What is written to a slot: elements, or a `Uint8Array` of whole blocks as its encoding has them. */
export type SlotData = Float32Array | Int32Array | Uint8Array

/** Data of a run's inputs and outputs, by name. */
export type RunData = Readonly<Record<string, Float32Array | Int32Array>>

/**
 * When a thread worked on one call of a program. In milliseconds: on a CPU since the run was asked for, on a GPU since
 * its first call.
 */
export interface CallTime {
  /** Number of the call in the program. */
  readonly call: number
  /** Number of the thread, from 0. */
  readonly thread: number
  /** When it began. */
  readonly start: number
  /** When it was done, before it waited for the others. */
  readonly end: number
}

/** How a program is made ready. */
export interface CompileOptions {
  /**
   * Is told the times of each run's calls, in their order. The calls then run strictly one after the other, with the
   * same results. Default: nothing is timed, and nothing is paid for it. A backend without a clock never tells.
   */
  readonly trace?: (times: ReadonlyArray<CallTime>) => void
}

/** A program made ready on a backend. */
export interface Executable {
  /** Runs once. Every input must be given, with its exact length. Runs of one backend follow each other in order. */
  readonly run: (inputs: RunData) => Promise<Record<string, Float32Array | Int32Array>>
  /** Bytes of temporaries the plan needs (shared among executables of one backend). */
  readonly temporaryBytes: number
  /** Releases what only this executable holds. */
  readonly dispose: () => void
}

/** What a backend tells of itself. */
export interface BackendInfo {
  /** Kind of backend. */
  readonly name: "wasm" | "webgpu"
  /** One line for people: what it runs on. */
  readonly description: string
  /** Threads that compute. */
  readonly threads: number
}

/** Bytes held at this moment, and the most that were held. */
export interface BackendMemory {
  /** Of slots. */
  readonly slotBytes: number
  /** Of temporaries, for the largest executable. */
  readonly temporaryBytes: number
  /** Size of the memory as the system sees it; it never shrinks. */
  readonly totalBytes: number
}

/** The operations of a backend. */
export interface BackendService {
  /** What it is. */
  readonly info: BackendInfo
  /**
   * Makes a slot, its memory filled with zeros. Default `"f32"`; another `storage` of f32 takes fewer bytes, and programs
   * only read it. The last axis must be whole blocks of it. Throws {@link BackendError} when there is no room.
   */
  readonly allocate: (name: string, shape: ReadonlyArray<number>, dtype?: DType, storage?: StoredAs) => Slot
  /** Gives a slot's memory back; the slot must not be used after. */
  readonly free: (slot: Slot) => void
  /**
   * Copies into a slot from element `offset` on (default 0): large data may come in pieces. 16-bit floats take the
   * nearest number (ties to even); what is too large for them becomes infinite. Encodings in blocks take whole blocks.
   */
  readonly write: (slot: Slot, data: SlotData, offset?: number) => Promise<void>
  /** Copies a slot out, as f32 whatever its storage. */
  readonly read: (slot: Slot) => Promise<Float32Array | Int32Array>
  /** Makes a program ready to run. */
  readonly compile: (program: Program, options?: CompileOptions) => Promise<Executable>
  /** What is held now. */
  readonly memory: () => BackendMemory
}

/** Identity of the backend service. */
export interface Backend {
  /** Nominal brand. */
  readonly "~espalier/Backend": "~espalier/Backend"
}
/** Key of the backend service. */
export const Backend: Context.Service<Backend, BackendService> = Context.Service<Backend, BackendService>(
  "@espalier/espalier/Backend",
)
