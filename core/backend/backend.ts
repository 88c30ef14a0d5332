/**
 * The Backend service: persistent memory (slots) and programs that run over it.
 *
 * The methods give plain promises, since they are called in every step. Workers, memory and device are an Effect
 * resource: see the layers of each backend.
 * @module
 */
import * as Context from "effect/Context"
import type { DType, StoredAs } from "../../kernels/contract.ts"
import type { Program } from "../graph/program.ts"

/** Memory that outlives a run. */
export interface Slot {
  /** Number by which programs refer to it. */
  readonly id: number
  /** Name in errors and listings. */
  readonly name: string
  /** Extents of its axes. */
  readonly shape: ReadonlyArray<number>
  /** Type of its elements. */
  readonly dtype: DType
  /** Encoding of the elements in memory. Default `"f32"`. */
  readonly storage?: StoredAs
  /** Whether programs only read it. Default false. */
  readonly readOnly?: boolean
}

/** A slot that is to be made. */
export type SlotRequest = Omit<Slot, "id">

/** Options of {@link BackendService.allocate}. */
export interface SlotOptions {
  /**
   * Whether programs only read it, as they do frozen weights; data is written as to any slot. It may then lie where only
   * some kernels read it in place: so large models have room, and others get copies. Default false.
   */
  readonly readOnly?: boolean
}

/** Data for a slot: elements, or a `Uint8Array` of whole blocks that are encoded already. */
export type SlotData = Float32Array | Int32Array | Uint8Array

/** Data of a run's inputs and outputs, by name. */
export type RunData = Readonly<Record<string, Float32Array | Int32Array>>

/**
 * When a thread worked on a call, in milliseconds: on a CPU since the run was posted, on a GPU since its first call.
 */
export interface CallTime {
  /** Number of the call in the program. */
  readonly call: number
  /** Number of the thread, from 0. */
  readonly thread: number
  /** Start. */
  readonly start: number
  /** End, before waiting for other threads. */
  readonly end: number
}

/** Options of {@link BackendService.compile}. */
export interface CompileOptions {
  /**
   * Receives the times of each run's calls, in order. Calls then run strictly one after the other, with the same
   * results. Never called by a backend without a clock. Default: no timing and no cost.
   */
  readonly trace?: (times: ReadonlyArray<CallTime>) => void
}

/** A compiled program. */
export interface Executable {
  /** Runs once. Every input is required, with its exact length. Runs of one backend execute in order. */
  readonly run: (inputs: RunData) => Promise<Record<string, Float32Array | Int32Array>>
  /** Bytes of temporaries the plan needs (shared among executables of one backend). */
  readonly temporaryBytes: number
  /** Releases the executable's own resources. */
  readonly dispose: () => void
}

/** Facts about a backend. */
export interface BackendInfo {
  /** Kind of backend. */
  readonly name: "wasm" | "webgpu"
  /** One line that says what it runs on. */
  readonly description: string
  /** Number of compute threads. */
  readonly threads: number
}

/** Bytes in use. */
export interface BackendMemory {
  /** Of slots. */
  readonly slotBytes: number
  /** Of temporaries, for the largest executable. */
  readonly temporaryBytes: number
  /** Size of the memory as the system sees it; never shrinks. */
  readonly totalBytes: number
}

/** The operations of a backend. */
export interface BackendService {
  /** Facts about the backend. */
  readonly info: BackendInfo
  /**
   * Makes a slot, its memory filled with zeros. Elements take four bytes by default; another `storage` of f32 takes
   * fewer, and programs can only read it; the last axis must be whole blocks. Throws {@link BackendError} if memory is insufficient.
   */
  readonly allocate: (
    name: string,
    shape: ReadonlyArray<number>,
    dtype?: DType,
    storage?: StoredAs,
    options?: SlotOptions,
  ) => Slot
  /**
   * Rejects with {@link BackendError} `OutOfMemory` where slots would not fit beside those that are there, with the bytes that
   * they need and that there are. Takes no memory: to be asked before large files are read.
   *
   * @param what Names them all in the error.
   */
  readonly checkRoom: (slots: ReadonlyArray<SlotRequest>, what: string) => Promise<void>
  /** Frees a slot; it must not be used afterwards. */
  readonly free: (slot: Slot) => void
  /**
   * Copies into a slot from element `offset` on (default 0), so that large data can come in pieces (whole blocks). A
   * 16-bit encoding rounds to the nearest number (ties to even); numbers beyond its range become infinite. The data is read
   * when earlier work is done, without a copy: it must stay as it is until the promise resolves.
   */
  readonly write: (slot: Slot, data: SlotData, offset?: number) => Promise<void>
  /** Copies a slot out, decoded. */
  readonly read: (slot: Slot) => Promise<Float32Array | Int32Array>
  /**
   * Copies bytes of a slot out, as they are encoded.
   *
   * @param offset First element, at the start of a block. Default 0.
   * @param count Number of elements, whole blocks. Default: to the end.
   */
  readonly readEncoded: (slot: Slot, offset?: number, count?: number) => Promise<Uint8Array<ArrayBuffer>>
  /** Bytes of temporaries that a program will need here. Takes none. */
  readonly temporaryBytes: (program: Program) => number
  /** Compiles a program. */
  readonly compile: (program: Program, options?: CompileOptions) => Promise<Executable>
  /** Bytes in use now. */
  readonly memory: () => BackendMemory
}

/** Type of the service's key. */
export interface Backend {
  /** Identifier. */
  readonly "~espalier/Backend": "~espalier/Backend"
}
/** Key of the backend service. */
export const Backend: Context.Service<Backend, BackendService> = Context.Service<Backend, BackendService>(
  "@espalier/espalier/Backend",
)
