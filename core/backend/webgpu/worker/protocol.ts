/**
 * Messages between the host and the thread that holds the device.
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

/** A request of one kind. */
export type RequestOf<Kind extends Request["kind"]> = Extract<Request, { readonly kind: Kind }>

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

/** Why a request failed; the thread throws it. */
export interface Failure {
  readonly reason: "Unsupported" | "OutOfMemory" | "Compile" | "Run" | "Lost"
  readonly message: string
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
  readonly error: Failure | null
}
