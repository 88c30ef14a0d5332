/**
 * Types of tensors in GGUF files: number, name, and the encoding by which they are read.
 * @module
 */
import type { Encoding } from "../../../kernels/encoding.ts"
import { BF16, F16, F32 } from "../../../kernels/encodings.ts"
import { Q4_0 } from "../../../kernels/encodings/q4_0.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import { Q4_K } from "../../../kernels/encodings/q4_k.ts"
import { Q5_0 } from "../../../kernels/encodings/q5_0.ts"
import { Q5_1 } from "../../../kernels/encodings/q5_1.ts"
import { Q5_K } from "../../../kernels/encodings/q5_k.ts"
import { Q6_K } from "../../../kernels/encodings/q6_k.ts"
import { Q8_0 } from "../../../kernels/encodings/q8_0.ts"

/** A type of tensors, such as F16 or Q4_1. */
export interface GgmlType {
  /** Its number in files. */
  readonly id: number
  /** Its name in ggml. */
  readonly name: string
  /** How its bytes are numbers. Left out where this type is known by name only. */
  readonly encoding?: Encoding
}

/** All types that ggml has; those that it dropped (numbers 4, 5, 31 to 33, 36 to 38) are left out. */
export const GGML_TYPES: ReadonlyArray<GgmlType> = [
  { id: 0, name: "F32", encoding: F32 },
  { id: 1, name: "F16", encoding: F16 },
  { id: 2, name: "Q4_0", encoding: Q4_0 },
  { id: 3, name: "Q4_1", encoding: Q4_1 },
  { id: 6, name: "Q5_0", encoding: Q5_0 },
  { id: 7, name: "Q5_1", encoding: Q5_1 },
  { id: 8, name: "Q8_0", encoding: Q8_0 },
  { id: 9, name: "Q8_1" },
  { id: 10, name: "Q2_K" },
  { id: 11, name: "Q3_K" },
  { id: 12, name: "Q4_K", encoding: Q4_K },
  { id: 13, name: "Q5_K", encoding: Q5_K },
  { id: 14, name: "Q6_K", encoding: Q6_K },
  { id: 15, name: "Q8_K" },
  { id: 16, name: "IQ2_XXS" },
  { id: 17, name: "IQ2_XS" },
  { id: 18, name: "IQ3_XXS" },
  { id: 19, name: "IQ1_S" },
  { id: 20, name: "IQ4_NL" },
  { id: 21, name: "IQ3_S" },
  { id: 22, name: "IQ2_S" },
  { id: 23, name: "IQ4_XS" },
  { id: 24, name: "I8" },
  { id: 25, name: "I16" },
  { id: 26, name: "I32" },
  { id: 27, name: "I64" },
  { id: 28, name: "F64" },
  { id: 29, name: "IQ1_M" },
  { id: 30, name: "BF16", encoding: BF16 },
  { id: 34, name: "TQ1_0" },
  { id: 35, name: "TQ2_0" },
  { id: 39, name: "MXFP4" },
  { id: 40, name: "NVFP4" },
  { id: 41, name: "Q1_0" },
]

const byEncoding: ReadonlyMap<Encoding | undefined, GgmlType> = new Map(
  GGML_TYPES.filter(({ encoding }) => encoding !== undefined).map((type) => [type.encoding, type]),
)
const byId: ReadonlyMap<number, GgmlType> = new Map(GGML_TYPES.map((type) => [type.id, type]))

/** The type with a number; undefined where ggml has none. */
export const ggmlType = (id: number): GgmlType | undefined => byId.get(id)

/** The type whose bytes are those of an encoding; undefined where GGUF has none. */
export const ggmlTypeOf = (encoding: Encoding): GgmlType | undefined => byEncoding.get(encoding)
