/**
 * Weights in files: what files call a model's tensors, and how they hold them.
 * @module
 */
export type { CheckpointFormat, FormatFamily } from "./checkpoint_format.ts"
export type { GgufDialect, GgufDialects } from "./gguf/gguf_dialect.ts"
export type { GgufCut, GgufTokenizers } from "./gguf/gguf_names.ts"
export type { ModelTokenizer, ModelTokenizers } from "./model_tokenizers.ts"
export type { NamePattern } from "./name_pattern.ts"
export type { PackedRows } from "./packed_rows.ts"
export type { Ties, WeightMap, WeightRule } from "./weight_map.ts"
export type { StoredTensor } from "./stored_tensor.ts"
export {
  chain,
  join,
  type LazyTensor,
  permuteRows,
  shifted,
  split,
  transpose,
  type WeightTransform,
} from "./weight_transform.ts"
