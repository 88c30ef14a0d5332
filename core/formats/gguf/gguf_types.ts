/**
 * What a GGUF file holds: typed values of metadata, and tensors with their places.
 *
 * Layout of version 3: magic, version, counts of tensors and values, the values, the tensors' infos, padding up to
 * `general.alignment`, the tensors' bytes, each padded to the alignment. All little-endian.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @module
 */
import type { GgmlType } from "./ggml_types.ts"

/** The first four bytes of a file: "GGUF". */
export const GGUF_MAGIC = 0x46554747

/** Version that is written, and the newest that is read. */
export const GGUF_VERSION = 3

/** Alignment of tensors in bytes where the metadata has no {@link ALIGNMENT_KEY}. */
export const DEFAULT_ALIGNMENT = 32

/** Key of the alignment: a uint32, a power of two from 8 on. */
export const ALIGNMENT_KEY = "general.alignment"

/** Most bytes of a tensor's name, in UTF-8: ggml keeps the 64th for a zero. */
export const MAX_NAME_BYTES = 63

/** Most axes of a tensor. */
export const MAX_AXES = 4

/** Types of metadata values; the number of a type in a file is its place in this list. */
export const GGUF_VALUE_TYPES = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64",
] as const

/** Name of a type of metadata values. */
export type GgufValueType = typeof GGUF_VALUE_TYPES[number]

/** What values of each type are here. */
export interface GgufValueOf {
  /** 0 to 255. */
  readonly uint8: number
  /** -128 to 127. */
  readonly int8: number
  /** 0 to 65535. */
  readonly uint16: number
  /** -32768 to 32767. */
  readonly int16: number
  /** 0 to 2^32 - 1. */
  readonly uint32: number
  /** -2^31 to 2^31 - 1. */
  readonly int32: number
  /** Rounded to single precision. */
  readonly float32: number
  /** Any number. */
  readonly float64: number
  /** True or false. */
  readonly bool: boolean
  /** Well-formed Unicode. */
  readonly string: string
  /** 0 to 2^64 - 1. */
  readonly uint64: bigint
  /** -2^63 to 2^63 - 1. */
  readonly int64: bigint
  /** Values of one type. */
  readonly array: GgufArray
}

/** A list of values of one type. Numbers may be a typed array; lists may hold lists. */
export type GgufArray = {
  readonly [Type in GgufValueType]: { readonly of: Type; readonly items: ArrayLike<GgufValueOf[Type]> }
}[GgufValueType]

/** A value of metadata with its type, such as `{ type: "uint32", value: 32 }`. */
export type GgufValue = {
  readonly [Type in GgufValueType]: { readonly type: Type; readonly value: GgufValueOf[Type] }
}[GgufValueType]

/** Metadata by key, in the order of the file. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>

/** A tensor as its info describes it. */
export interface GgufTensorInfo {
  /** Its name, such as `blk.0.attn_q.weight`. */
  readonly name: string
  /** Its dimensions, the last axis contiguous: the reverse of the order in the file. */
  readonly shape: ReadonlyArray<number>
  /** How its numbers are kept. */
  readonly type: GgmlType
}
