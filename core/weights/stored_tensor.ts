import type { TensorEntry } from "../formats/safetensors/safetensors_header.ts"
import type { StoredDType } from "../formats/safetensors/stored_dtype.ts"
import type { LazyTensor } from "./weight_transform.ts"

/** A tensor of weight files. */
export interface StoredTensor extends LazyTensor {
  /** Type of its elements in the files; of a packed one in blocks F32, as which it is read. */
  readonly dtype: StoredDType
  /** Where it lies as it is, to be read in pieces; undefined for one that a transform makes. */
  readonly entry?: TensorEntry
}
