/** Bits of an element, by type. */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

/** Element types that a safetensors file may hold. */
export type StoredDType = keyof typeof BITS

/** Element types that are read and written here; in memory they are 32-bit floats. */
export type FloatDType = "F32" | "F16" | "BF16"

/** transformers' names of types. */
export const TORCH_NAMES: Readonly<Record<FloatDType, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" }

/** Whether a name is an element type of the format. */
export function isStoredDType(name: string): name is StoredDType {
  return Object.hasOwn(BITS, name)
}

/** Whether tensors of this type can be read here. */
export function isFloatDType(dtype: StoredDType): dtype is FloatDType {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16"
}

/** Bits of one element. */
export function bitsOf(dtype: StoredDType): number {
  return BITS[dtype]
}
