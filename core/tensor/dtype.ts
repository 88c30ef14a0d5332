/** Types of elements that tensors compute with. Both are four bytes wide. */
export type DType = "f32" | "i32"
/**
 * What memory holds for each f32 element of a slot: the number itself, or its nearest 16-bit float ("bf16" keeps the
 * range, "f16" three more bits of precision), which kernels decode as they load it. Programs write to "f32" alone.
 */
export type Storage = "f32" | "bf16" | "f16"

/** Bytes that an element takes in memory. Default storage `"f32"`. */
export const bytesOf = (storage: Storage = "f32"): number => storage === "f32" ? 4 : 2
