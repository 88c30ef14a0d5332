/** Types of elements that tensors compute with. Both are four bytes wide. */
export type DType = "f32" | "i32"
/**
 * How memory holds the f32 elements of a slot: an `Encoding`, or the name of one that is built in: `"f32"`, or the nearest
 * 16-bit float (`"bf16"` keeps the range, `"f16"` three more bits of precision). Kernels decode as they load; programs
 * write to f32 alone.
 */
export type StoredAs = string | { readonly name: string }
