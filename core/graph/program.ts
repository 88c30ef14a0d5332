/**
 * A compiled graph before it meets a backend: buffers and kernel calls in order, all plain data.
 * @module
 */
import type { Call, DType, View } from "../../kernels/contract.ts"
import type { EncodingTable } from "../../kernels/encoding.ts"
import type { Kernels } from "../../kernels/kernel.ts"

/** Origin of a buffer's memory. */
export type BufferSource =
  /** Lives only between its first write and its last read; the backend plans its place. */
  | { readonly kind: "temporary" }
  /** Memory that outlives the run (parameters, optimizer state, accumulators), by the slot's number. */
  | { readonly kind: "slot"; readonly slot: number }
  /** Data of each run. */
  | { readonly kind: "input"; readonly name: string }
  /** Written once when the program is compiled. */
  | { readonly kind: "constant"; readonly data: Float32Array | Int32Array }

/** One buffer of a program. Its number is its place in {@link Program.buffers}. */
export interface BufferSpec {
  /** Number of elements. */
  readonly size: number
  /** Type of the elements. */
  readonly dtype: DType
  /** Name of the encoding in which a slot's memory holds its elements. Default `"f32"`. */
  readonly storage?: string
  /** Origin of its memory. */
  readonly source: BufferSource
}

/** A result handed back by each run: a contiguous view. */
export interface ProgramOutput {
  /** Name of the result. */
  readonly name: string
  /** A contiguous view. */
  readonly view: View
  /** Type of its elements. */
  readonly dtype: DType
}

/** Fused, scheduled, backend-neutral. Calls run in order; each sees what earlier ones wrote. */
export interface Program {
  /** Shown in errors and listings. */
  readonly name: string
  /** Memory of the calls. */
  readonly buffers: ReadonlyArray<BufferSpec>
  /** Calls in order. */
  readonly calls: ReadonlyArray<Call>
  /** Results of a run. */
  readonly outputs: ReadonlyArray<ProgramOutput>
  /**
   * Kernels of the calls that are not built in, by name. They are the only part, with `encodings`, that is not plain data:
   * a receiver of a program needs the same ones.
   */
  readonly kernels?: Kernels
  /** Encodings of the buffers that are not built in, by name; likewise. */
  readonly encodings?: EncodingTable
}
