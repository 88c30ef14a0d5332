/**
 * ModernBERT (Warner et al. 2024, arXiv 2412.13663) and what is made like it, such as Ettin: encoders with rotary
 * positions, of whose layers most see a window of tokens on both sides and every third one sees all, for masked language
 * modelling, classification of texts and tokens, and embeddings of texts (model type `modernbert`); and Ettin's decoders
 * (`modernbert-decoder`), for causal language modelling and classification of texts. With Hugging Face's names.
 *
 * ```ts
 * import * as ModernBert from "@espalier/espalier/modernbert"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(ModernBert.layer)
 * ```
 *
 * @module
 */
import * as Layer from "effect/Layer"
import type { Head } from "../../core/contracts/head.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { type ConfigFields, type Families, type Family, family } from "../../core/model/load/families.ts"
import type { Network } from "../../core/model/network.ts"
import { type Config, readConfig } from "./config.ts"
import { headOf, norm } from "./heads.ts"
import type { LayerKind } from "./layer_kinds.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

const TABLE = "model.embeddings.tok_embeddings"

function layerAt(index: number, config: Config, { rope, window }: LayerKind): blocks.Layer {
  const { hiddenSize } = config
  const path = `model.layers.${index}`
  const attention = blocks.attention({
    ...config,
    path: `${path}.attn`,
    output: "Wo",
    bias: config.attentionBias,
    rope,
    window,
  })
  const feedForward = blocks.feedForward({
    ...config,
    path: `${path}.mlp`,
    inputs: ["Wi"],
    gated: true,
    output: "Wo",
    bias: config.feedForwardBias,
  })
  return blocks.layer({
    path,
    hiddenSize,
    methodsSeeNormed: true,
    // The embeddings have a norm already.
    attention: { ...blocks.inTurn(attention), ...(index === 0 ? {} : { norm: norm(`${path}.attn_norm`, config) }) },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm(`${path}.mlp_norm`, config) },
  })
}

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader, head: Head): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, maxPositions, std } = config
  const body = blocks.backbone({
    path: "model",
    hiddenSize,
    embeddings: {
      words: blocks.embedding({ path: TABLE, rows: vocabSize, width: hiddenSize, std }),
      norm: norm("model.embeddings.norm", config),
      dropout: config.embeddingDropout,
    },
    layers: config.layers.map((kind, i) => layerAt(i, config, kind)),
    norm: norm("model.final_norm", config),
  })
  const { name, modules, weights, forward } = headOf(config, head, `${TABLE}.weight`)
  return {
    ...blocks.networkOf(body, modules, forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("model", ["embeddings", "layers", "final_norm"]),
      ...blocks.unused("head.*", "lm_head.*", "decoder.*", "classifier.*"),
      ...weights,
    ],
    defaultTargets: config.causal ? ["q_proj", "v_proj"] : ["Wqkv"],
    architecture: config.name + name,
    notes: [],
  }
}

const fields: ConfigFields = {
  // How Python computes, and what new weights start from.
  harmless: ["initializer_cutoff_factor", "deterministic_flash_attn", "reference_compile", "repad_logits_with_grad"]
    .concat("sparse_prediction", "sparse_pred_ignore_index")
    // Of the programs that trained the first models; transformers does not look at them.
    .concat("layer_norm_eps", "position_embedding_type", "causal_mask"),
  neutral: { attention_dropout: [0], mlp_dropout: [0] },
}

/** The encoders. */
export const modernBert: Family = { modelTypes: ["modernbert"], attention: "bidirectional", build, fields }

/** The decoders, of Ettin. */
export const modernBertDecoder: Family = {
  modelTypes: ["modernbert-decoder"],
  attention: "causal",
  heads: ["vocabulary", "sequence"],
  build,
  fields,
}

/** Registers both for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = Layer.mergeAll(
  family(modernBert),
  family(modernBertDecoder),
)
