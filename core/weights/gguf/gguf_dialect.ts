import type { ConfigReader } from "../../formats/json/model_config.ts"
import type { GgufMetadata } from "../../formats/gguf/gguf_types.ts"
import type { StoredTensor } from "../stored_tensor.ts"
import type { LazyTensor } from "../weight_transform.ts"
import type { WeightMap } from "../weight_map.ts"

/** How a kind of model lies in GGUF files, and how its names and layouts there become Hugging Face's. */
export interface GgufDialect {
  /**
   * The content of a `config.json`. A field of the architecture that is not read is an error for whoever loads the file.
   * Throws JsonError on fields that are missing or not understood.
   *
   * @param metadata The file's metadata as plain values, under their whole names.
   * @param tensors The file's tensors, under its own names.
   */
  readonly config: (
    metadata: ConfigReader,
    tensors: ReadonlyMap<string, StoredTensor>,
  ) => Promise<Readonly<Record<string, unknown>>>
  /** The metadata of the architecture for a `config.json`: the inverse. Throws JsonError on what GGUF has no field for. */
  readonly metadata: (config: ConfigReader) => GgufMetadata
  /** Tensors that follow from the config, such as factors of frequencies. Default: none. */
  readonly tensors?: (config: ConfigReader) => ReadonlyArray<LazyTensor>
  /** Names and layouts: those of GGUF as stored, those of Hugging Face as the model's; used both ways. */
  readonly weights: (config: ConfigReader) => WeightMap
}

/** Dialects by `general.architecture`, loaded when a file asks for one. */
export type GgufDialects = Readonly<Record<string, () => Promise<GgufDialect>>>
