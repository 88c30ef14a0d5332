/**
 * The Gemma family: decoders with norms around attention and feed-forward, whose weights are added to 1, embeddings times the
 * root of their width, and mostly layers that see a window of tokens, for causal language modelling and for numbers by
 * sequence (classification, regression). Model types `gemma3_text` (also with `use_bidirectional_attention`, as
 * EmbeddingGemma), `gemma2` and `vaultgemma`, under Hugging Face's names.
 *
 * ```ts
 * import * as Gemma from "@espalier/espalier/gemma"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Gemma.layer)
 * ```
 *
 * @module
 */
import * as Layer from "effect/Layer"
import type { Head } from "../../core/contracts/head.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import type { Network } from "../../core/model/network.ts"
import { type DecoderConfig, decoderOf } from "../decoder/mod.ts"
import { readGemma2, readGemma3, readVaultGemma } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

const built = (read: (config: ConfigReader) => DecoderConfig) => (config: ConfigReader, head: Head): Network => {
  const own = read(config)
  if (head.kind === "vocabulary" && own.causal === false) {
    throw config.error("use_bidirectional_attention", "false, or left out, for a causal language model")
  }
  return decoderOf(own, head)
}

/** Fields of all that transformers does not look at. */
const fields: Family["fields"] = {
  harmless: ["cache_implementation", "sliding_window_size"],
  neutral: { hidden_act: ["gelu_pytorch_tanh"] },
}

/** Gemma 3 without images. */
export const gemma3: Family = {
  modelTypes: ["gemma3_text"],
  attention: "causal",
  heads: ["vocabulary", "sequence"],
  build: built(readGemma3),
  fields,
  tokenizers: { gemma3_text: { class: "GemmaTokenizer" } },
  gguf: { gemma3: async () => (await import("./gguf.ts")).dialect },
  ggufTokenizers: async () => (await import("./gguf.ts")).tokenizers,
}

/** Gemma 2. */
export const gemma2: Family = {
  modelTypes: ["gemma2"],
  attention: "causal",
  build: built(readGemma2),
  fields,
  tokenizers: { gemma2: { class: "GemmaTokenizer" } },
}

/** VaultGemma. */
export const vaultGemma: Family = {
  modelTypes: ["vaultgemma"],
  attention: "causal",
  heads: ["vocabulary"],
  build: built(readVaultGemma),
  fields,
}

/** Gemma 3 with images: an error that says so. */
const withImages: Family = {
  modelTypes: ["gemma3"],
  attention: "causal",
  tokenizers: { gemma3: { class: "GemmaTokenizer" } },
  build: (config) => {
    throw config.error(
      "model_type",
      '"gemma3_text": images are not known here, so texts alone are what a model can have',
    )
  },
}

/** Registers all for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = Layer.mergeAll(
  family(gemma3),
  family(gemma2),
  family(vaultGemma),
  family(withImages),
)
