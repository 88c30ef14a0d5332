/**
 * The family's models in GGUF files, as llama.cpp writes them.
 * @module
 */
import type { GgufDialect } from "../../../core/weights/mod.ts"
import { configIn } from "./config_in.ts"
import { factorTensors, metadataOf } from "./metadata_of.ts"
import { namesIn } from "./names.ts"

/** The dialect of an architecture. */
export function dialectOf(architecture: "llama" | "qwen2" | "qwen3"): GgufDialect {
  return {
    config: (metadata, tensors) => configIn(architecture, metadata, tensors),
    metadata: (config) => metadataOf(architecture, config),
    tensors: factorTensors,
    weights: (config) => namesIn(config, architecture === "llama"),
  }
}
