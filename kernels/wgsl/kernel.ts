/**
 * How a kernel writes WGSL for a backend: it gives dispatches, which are plain data.
 *
 * Sizes, strides and offsets are written into the code as constants, in straight lines (no private arrays, no inner
 * loops of constant length: Deno's checks make them slow). Offsets of buffers are not: calls of one shape give the same
 * text and so share one pipeline. Hence labels are no part of the code. Long code, which compiles slowly, had better read
 * its sizes from {@link KernelContext.constants}.
 * @module
 */
import type { Call } from "../contract.ts"
import type { Encoding } from "../encoding.ts"

/** How a shader sees the elements of a buffer. */
export type Element = "f32" | "i32" | "vec4<f32>"

/** A buffer as a shader sees it. Indices are WGSL text of type u32 and count elements of its {@link Element}. */
export interface Operand {
  /** Expression: the element at `index`. */
  readonly load: (index: string) => string
  /** Statement: puts `value` at `index`. */
  readonly store: (index: string, value: string) => string
}

/** A buffer that a dispatch needs. */
export interface Binding {
  /** Number of the buffer in the program, or of a scratch buffer. */
  readonly buffer: number
  /** What the code takes it for. */
  readonly element: Element
  /** How its memory holds the elements. */
  readonly encoding: Encoding
  /** Whether the code stores to it. */
  readonly writes: boolean
  /** Its name in the code: a variable, or what is behind `load_` and `store_` in the names of functions. */
  readonly name: string
  /** Whether the code uses functions: the buffer is larger than one variable may be, or is decoded. */
  readonly indirect: boolean
}

/** One shader and how often it runs: plain data. Dispatches run in order; each sees what earlier ones wrote. */
export interface Dispatch {
  /** Shown in errors and profiles. */
  readonly label: string
  /** WGSL without the declarations of the bindings; its entry point is `main`. */
  readonly code: string
  /** What it needs of the language. */
  readonly enable: ReadonlyArray<"subgroups">
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly [number, number, number]
  /** Buffers that the code names. */
  readonly bindings: ReadonlyArray<Binding>
}

/** One dispatch while it is written. */
export interface Shader {
  /**
   * A buffer that is read. Default element: the buffer's own type. Asked for again, it is the same operand; one
   * shader sees one buffer as one kind of element only (else this throws).
   * As `vec4<f32>`, the view's offset and strides must be multiples of 4; memory behind the last element, up to a
   * whole vec4, is there and arbitrary.
   */
  readonly read: (buffer: number, element?: Element) => Operand
  /** A buffer that is written; it may be read too (in place). Same rules. */
  readonly write: (buffer: number, element?: Element) => Operand
  /**
   * The finished dispatch.
   *
   * @param code Declarations and `@compute @workgroup_size(...) fn main(...)`.
   */
  readonly finish: (
    dispatch: Pick<Dispatch, "label" | "code" | "workgroups"> & Partial<Pick<Dispatch, "enable">>,
  ) => Dispatch
}

/** Features of the device. Every device has workgroups of 256 threads with 16 KiB of memory. */
export interface DeviceTraits {
  /** Threads of a subgroup, or undefined where there are none to be had. A size range gives its smallest and largest. */
  readonly subgroups: { readonly smallest: number; readonly largest: number } | undefined
  /** Whether it is a CPU in disguise (lavapipe, SwiftShader): few threads, wide vectors, no use for workgroup memory. */
  readonly software: boolean
  /** Most workgroups along one axis. */
  readonly workgroupsPerAxis: number
  /** Most storage bindings of a shader. */
  readonly storageBindings: number
}

/** Functions of the backend for an emitter. */
export interface KernelContext {
  /** What it runs on. */
  readonly device: DeviceTraits
  /** Begins a dispatch. */
  readonly shader: () => Shader
  /** Workspace of f32 for this call alone: its number, for {@link Shader.write} and later {@link Shader.read}.
   * Its first content is arbitrary. */
  readonly scratch: (elements: number) => number
  /** A buffer of these i32: sizes and distances that are kept out of the code, so that many calls share a pipeline. */
  readonly constants: (values: ReadonlyArray<number>) => number
}

/** Writes one kind of call; no dispatch where there is nothing to do. */
export type KernelEmitter<C extends Call> = (call: C, context: KernelContext) => ReadonlyArray<Dispatch>

/**
 * Workgroups in a line, folded into two axes where there are more than one axis may have.
 *
 * @returns Extents, and the number of a workgroup as an expression over `group`, the builtin `workgroup_id`. The last
 * fold may hold numbers from `count` on: the code must skip those when `exact` is false.
 */
export const lineOfWorkgroups = (
  count: number,
  { workgroupsPerAxis }: DeviceTraits,
): { readonly workgroups: readonly [number, number, number]; readonly number: string; readonly exact: boolean } => {
  if (count <= workgroupsPerAxis) return { workgroups: [count, 1, 1], number: "group.x", exact: true }
  const folds = Math.ceil(count / workgroupsPerAxis)
  const width = Math.ceil(count / folds)
  return {
    workgroups: [width, folds, 1],
    number: `(group.y * ${width}u + group.x)`,
    exact: width * folds === count,
  }
}
