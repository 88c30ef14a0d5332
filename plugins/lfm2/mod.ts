/**
 * The LFM2 family (Liquid AI 2025): decoders in which most layers are gated short convolutions and the others attention with
 * grouped heads, for causal language modelling. Model type `lfm2` (LFM2 and LFM2.5), with Hugging Face's names.
 *
 * ```ts
 * import * as Lfm2 from "@espalier/espalier/lfm2"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Lfm2.layer)
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import type { Network } from "../../core/model/network.ts"
import { type Config, readConfig } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

function attentionAt(path: string, config: Config): blocks.LayerPart {
  const { headDim, epsilon } = config
  const norm = (name: string) => blocks.rmsNorm({ path: `${path}.self_attn.${name}`, width: headDim, epsilon })
  return blocks.inTurn(blocks.attention({
    ...config,
    path: `${path}.self_attn`,
    projections: ["q_proj", "k_proj", "v_proj"],
    output: "out_proj",
    headNorms: [norm("q_layernorm"), norm("k_layernorm")],
    causal: true,
  }))
}

function convolutionAt(path: string, { hiddenSize, kernel, convolutionBias, std }: Config): blocks.LayerPart {
  return blocks.inTurn(blocks.gatedConvolution({
    path: `${path}.conv`,
    hiddenSize,
    kernel,
    input: "in_proj",
    convolution: "conv",
    output: "out_proj",
    bias: convolutionBias,
    std,
  }))
}

function layerAt(path: string, config: Config, type: string): blocks.Layer {
  const { hiddenSize, epsilon } = config
  const norm = (name: string) => blocks.rmsNorm({ path: `${path}.${name}`, width: hiddenSize, epsilon })
  const feedForward = blocks.feedForward({
    ...config,
    path: `${path}.feed_forward`,
    inputs: ["w1", "w3"],
    gated: true,
    output: "w2",
  })
  const mixer = type === "conv" ? convolutionAt : attentionAt
  return blocks.layer({
    path,
    hiddenSize,
    attention: { ...mixer(path, config), norm: norm("operator_norm") },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm("ffn_norm") },
  })
}

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, maxPositions, epsilon, std } = config
  const body = blocks.backbone({
    path: "model",
    hiddenSize,
    embeddings: { words: blocks.embedding({ path: "model.embed_tokens", rows: vocabSize, width: hiddenSize, std }) },
    layers: config.layerTypes.map((type, i) => layerAt(`model.layers.${i}`, config, type)),
    norm: blocks.rmsNorm({ path: "model.embedding_norm", width: hiddenSize, epsilon }),
  })
  const width = { inFeatures: hiddenSize, outFeatures: vocabSize }
  const output = blocks.linear({ path: "lm_head", ...width, std, outputHead: true })
  return {
    ...blocks.networkOf(body, [output], blocks.vocabularyHead(output)),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("model", ["embed_tokens", "layers", "embedding_norm"]),
      ...blocks.unused("lm_head.*"),
      ...(config.isTied ? blocks.tied("model.embed_tokens.weight", "lm_head.weight") : []),
    ],
    buffers: { "rotary_emb.inv_freq": config.rope.frequencies },
    defaultTargets: ["in_proj", "q_proj", "v_proj"],
    architecture: "Lfm2ForCausalLM",
    notes: [],
  }
}

/** The family. */
export const lfm2: Family = {
  modelTypes: ["lfm2"],
  attention: "causal",
  heads: ["vocabulary"],
  build,
  gguf: { lfm2: async () => (await import("./gguf.ts")).dialect },
  ggufTokenizers: async () => (await import("./gguf.ts")).tokenizers,
  fields: {
    // Of first values.
    harmless: ["block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init", "conv_use_xavier_init"],
    neutral: { block_use_swiglu: [true], use_pos_enc: [true], hidden_act: ["silu"], is_causal: [true] },
  },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(lfm2)
