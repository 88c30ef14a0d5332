/** Element types that a safetensors file may hold. */
export type StoredDType =
  | "BOOL"
  | "F4"
  | "F6_E2M3"
  | "F6_E3M2"
  | "U8"
  | "I8"
  | "F8_E5M2"
  | "F8_E4M3"
  | "F8_E8M0"
  | "F8_E4M3FNUZ"
  | "F8_E5M2FNUZ"
  | "I16"
  | "U16"
  | "F16"
  | "BF16"
  | "I32"
  | "U32"
  | "F32"
  | "C64"
  | "F64"
  | "I64"
  | "U64"

const STORED = /^(BOOL|F4|F6_(E2M3|E3M2)|F8_(E8M0|(E5M2|E4M3)(FNUZ)?)|[IU](8|16|32|64)|B?F16|[FC]64|F32)$/

/** Element types that are read and written here; in memory they are 32-bit floats. */
export type FloatDType = "F32" | "F16" | "BF16"

/** transformers' names of types. */
export const TORCH_NAMES: Readonly<Record<FloatDType, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" }

export function isStoredDType(name: string): name is StoredDType {
  return STORED.test(name)
}

export function isFloatDType(dtype: StoredDType): dtype is FloatDType {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16"
}

/** Bits of one element: the first number in the name. */
export function bitsOf(dtype: StoredDType): number {
  return dtype === "BOOL" ? 8 : Number(/\d+/.exec(dtype)![0])
}
