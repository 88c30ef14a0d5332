/**
 * The Llama family: decoders with grouped-query attention, rotary positions, RMS norm and gated feed-forward, for causal
 * language modelling, and for numbers by sequence or by token (classification, regression). Model types `llama`, `mistral`,
 * `qwen2` and `qwen3`, with sliding windows where their configs have them, under Hugging Face's names.
 *
 * ```ts
 * import * as Llama from "@espalier/espalier/llama"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Llama.layer)
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { Head } from "../../core/contracts/head.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import type { Network } from "../../core/model/network.ts"
import { decoderOf } from "../decoder/mod.ts"
import { readConfig, TYPES } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader, head: Head): Network {
  const { rope, windows, ...config } = readConfig(reader)
  const layers = windows.map((window) => ({ rope, window }))
  return { ...decoderOf({ ...config, layers }, head), buffers: { "rotary_emb.inv_freq": rope.frequencies } }
}

const inGguf = (architecture: "llama" | "qwen2" | "qwen3") => async () =>
  (await import("./gguf/dialect.ts")).dialectOf(architecture)

/** The family. */
export const llama: Family = {
  modelTypes: Object.keys(TYPES),
  attention: "causal",
  build,
  tokenizers: {
    mistral: { class: "LlamaTokenizer", in5: "as it is" },
    qwen2: { class: "Qwen2Tokenizer", in5: "own class" },
    qwen3: { class: "Qwen2Tokenizer" },
  },
  ggufTokenizers: async () => (await import("./gguf/tokenizers.ts")).tokenizers,
  gguf: { llama: inGguf("llama"), qwen2: inGguf("qwen2"), qwen3: inGguf("qwen3") },
  fields: {
    harmless: ["is_decoder", "is_llama_config"],
    neutral: { is_causal: [true], use_rope: [true] },
  },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(llama)
