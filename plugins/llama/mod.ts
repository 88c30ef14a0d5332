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
import * as blocks from "../../core/model/blocks/mod.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import type { Network } from "../../core/model/network.ts"
import { type Config, readConfig, TYPES } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

function layerAt(path: string, config: Config, window: number | undefined): blocks.Layer {
  const { hiddenSize, headDim, epsilon } = config
  const norm = (name: string, width = hiddenSize) => blocks.rmsNorm({ path: `${path}.${name}`, width, epsilon })
  const attention = blocks.attention({
    ...config,
    path: `${path}.self_attn`,
    projections: ["q_proj", "k_proj", "v_proj"],
    output: "o_proj",
    ...(config.hasHeadNorms
      ? { headNorms: [norm("self_attn.q_norm", headDim), norm("self_attn.k_norm", headDim)] }
      : {}),
    causal: true,
    window,
  })
  const feedForward = blocks.feedForward({
    ...config,
    path: `${path}.mlp`,
    inputs: ["gate_proj", "up_proj"],
    gated: true,
    output: "down_proj",
    bias: config.feedForwardBias,
    dropout: 0,
  })
  return blocks.layer({
    path,
    hiddenSize,
    attention: { ...blocks.inTurn(attention), norm: norm("input_layernorm") },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm("post_attention_layernorm") },
  })
}

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader, head: Head): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, maxPositions, std } = config
  const body = blocks.backbone({
    path: "model",
    hiddenSize,
    embeddings: { words: blocks.embedding({ path: "model.embed_tokens", rows: vocabSize, width: hiddenSize, std }) },
    layers: config.windows.map((window, i) => layerAt(`model.layers.${i}`, config, window)),
    norm: blocks.rmsNorm({ path: "model.norm", width: hiddenSize, epsilon: config.epsilon }),
  })
  const isLanguageModel = head.kind === "vocabulary"
  // transformers' token classifier has a bias and dropout before it; its sequence classifier has neither.
  const output = blocks.linear({
    path: isLanguageModel ? "lm_head" : "score",
    inFeatures: hiddenSize,
    outFeatures: isLanguageModel ? vocabSize : head.size,
    bias: head.kind === "token",
    std,
    outputHead: true,
  })
  const [title, forward] = ({
    vocabulary: ["CausalLM", blocks.vocabularyHead(output)],
    token: ["TokenClassification", blocks.tokenHead(output, config.tokenDropout)],
    sequence: ["SequenceClassification", blocks.lastTokenHead(output)],
  } as const)[head.kind]
  return {
    ...blocks.networkOf(body, [output], forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("model", ["embed_tokens", "layers", "norm"]),
      ...blocks.unused("lm_head.*", "score.*", "qa_outputs.*", "classifier.*"),
      ...(isLanguageModel ? [] : blocks.starting("score.*")),
      ...(isLanguageModel && config.isTied ? blocks.tied("model.embed_tokens.weight", "lm_head.weight") : []),
    ],
    buffers: { "rotary_emb.inv_freq": config.rope.frequencies },
    defaultTargets: ["q_proj", "v_proj"],
    architecture: `${config.name}For${title}`,
    notes: [],
  }
}

const inGguf = (architecture: "llama" | "qwen2" | "qwen3") => async () =>
  (await import("./gguf/dialect.ts")).dialectOf(architecture)

/** The family. */
export const llama: Family = {
  modelTypes: Object.keys(TYPES),
  attention: "causal",
  build,
  ggufTokenizers: async () => (await import("./gguf/tokenizers.ts")).tokenizers,
  gguf: { llama: inGguf("llama"), qwen2: inGguf("qwen2"), qwen3: inGguf("qwen3") },
  fields: {
    harmless: ["is_decoder", "is_llama_config"],
    neutral: { is_causal: [true], use_rope: [true] },
  },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(llama)
