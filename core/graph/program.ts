/**
 * A compiled graph before it meets a backend: buffers and kernel calls in order, all plain data.
 * @module
 */
import type { Call, DType, View } from "../../kernels/contract.ts"

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
  /** Number of elements (four bytes each). */
  readonly size: number
  readonly dtype: DType
  readonly source: BufferSource
}

/** A result handed back by each run: a contiguous view. */
export interface ProgramOutput {
  readonly name: string
  readonly view: View
  readonly dtype: DType
}

/** Fused, scheduled, backend-neutral. Calls run in order; each sees what earlier ones wrote. */
export interface Program {
  readonly name: string
  readonly buffers: ReadonlyArray<BufferSpec>
  readonly calls: ReadonlyArray<Call>
  readonly outputs: ReadonlyArray<ProgramOutput>
}
