/** Types of elements that tensors compute with. Both are four bytes wide. */
export type DType = "f32" | "i32"
