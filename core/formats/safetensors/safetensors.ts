/**
 * The safetensors format: reading, checking and writing.
 * @module
 */
export * from "./check_names.ts"
export * from "./checkpoint.ts"
export * from "./safetensors_error.ts"
export { parseHeader, type SafetensorsHeader, type TensorEntry, type TensorLayout } from "./safetensors_header.ts"
export * from "./safetensors_writer.ts"
export type { FloatDType, StoredDType } from "./stored_dtype.ts"
