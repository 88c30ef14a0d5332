/**
 * A compiled graph before it meets a backend: buffers and kernel calls in order, all plain data.
 * @module
 */
import type { Call, DType, Storage, View } from "../../kernels/contract.ts"
import type { Kernels } from "../../kernels/kernel.ts"

/** Where a buffer's memory comes from. */
export type BufferSource =
  /** Lives only between its first write and its last read; the backend plans its place. */
  | { readonly kind: "temporary" }
  /** Memory that outlives the run (parameters, optimizer state, accumulators), by the slot's number. */
  | { readonly kind: "slot"; readonly slot: number }
  /** Given anew with each run. */
  | { readonly kind: "input"; readonly name: string }
  /** Written once when the program is compiled. */
  | { readonly kind: "constant"; readonly data: Float32Array | Int32Array }

/** One buffer of a program. Its number is its place in {@link Program.buffers}. */
export interface BufferSpec {
  /** Number of elements. */
  readonly size: number
  /** Type of the elements. */
  readonly dtype: DType
  /** What a slot's memory holds for each element. Default `"f32"`, four bytes; the others take two. */
  readonly storage?: Storage
  /** Where its memory comes from. */
  readonly source: BufferSource
}

/** A result handed back by each run: a contiguous view. */
export interface ProgramOutput {
  /** By which the result is found. */
  readonly name: string
  /** Where it lies. */
  readonly view: View
  /** Type of its elements. */
  readonly dtype: DType
}

/** Fused, scheduled, backend-neutral. Calls run in order; each sees what earlier ones wrote. */
export interface Program {
  /** For people: errors and listings. */
  readonly name: string
  /** All memory that the calls name. */
  readonly buffers: ReadonlyArray<BufferSpec>
  /** What is computed, in order. */
  readonly calls: ReadonlyArray<Call>
  /** What is handed back. */
  readonly outputs: ReadonlyArray<ProgramOutput>
  /**
   * Kernels of the calls that are not built in, by name. All else is plain data: whoever sends it elsewhere leaves these
   * out, and gives the other side the same ones.
   */
  readonly kernels?: Kernels
}
