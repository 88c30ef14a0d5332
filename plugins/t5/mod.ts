/**
 * The T5 family: encoder-decoder models with relative positions (Raffel et al. 2020) that write a text for a text. Model
 * types `t5`, versions 1.0 and 1.1 (tied embeddings or not, gated feed-forward or not), and `mt5` (Xue et al. 2021), with Hugging
 * Face's names.
 *
 * ```ts
 * import * as T5 from "@espalier/espalier/t5"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(T5.layer)
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { Side } from "../../core/contracts/module_info.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import type { Network } from "../../core/model/network.ts"
import { mul } from "../../core/tensor/ops.ts"
import { type Config, readConfig, TYPES } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** A position is only ever compared with another: as many as fit into an i32. */
const MAX_POSITIONS = 2 ** 31 - 1

/** An attention of a layer. */
function attentionAt(path: string, config: Config, own: Partial<blocks.AttentionOptions>): blocks.LayerPart {
  const { hiddenSize, heads, headDim, factor, dropout } = config
  const keys = factor * hiddenSize ** -0.5
  return blocks.inTurn(blocks.attention({
    path,
    hiddenSize,
    heads,
    headDim,
    projections: ["q", "k", "v"],
    output: "o",
    // Scores have no scale: queries start small instead.
    scale: 1,
    std: keys,
    queryStd: keys * headDim ** -0.5,
    outputStd: factor * (heads * headDim) ** -0.5,
    causal: false,
    dropout,
    ...own,
  }))
}

/** A layer: its parts are numbered, and a decoder's second one looks at what the encoder gives. */
function layerAt(path: string, config: Config, side: Side, relative: blocks.RelativePositions): blocks.Layer {
  const { hiddenSize, intermediateSize, epsilon, factor, dropout } = config
  const part = (index: number, name: string) => `${path}.layer.${index}.${name}`
  const normed = (index: number, own: blocks.LayerPart): blocks.LayerPart => ({
    ...own,
    norm: blocks.rmsNorm({ path: part(index, "layer_norm"), width: hiddenSize, epsilon }),
  })
  const isDecoder = side === "decoder"
  const self = attentionAt(part(0, "SelfAttention"), config, { causal: isDecoder, relative })
  const last = isDecoder ? 2 : 1
  const feedForward = blocks.feedForward({
    path: part(last, "DenseReluDense"),
    hiddenSize,
    intermediateSize,
    gated: config.gated,
    inputs: config.gated ? ["wi_0", "wi_1"] : ["wi"],
    output: "wo",
    std: factor * hiddenSize ** -0.5,
    outputStd: factor * intermediateSize ** -0.5,
    activation: config.activation,
    innerDropout: dropout,
  })
  return blocks.layer({
    path,
    hiddenSize,
    attention: normed(0, self),
    ...(isDecoder ? { cross: normed(1, attentionAt(part(1, "EncDecAttention"), config, { cross: true })) } : {}),
    feedForward: normed(last, blocks.inTurn(feedForward)),
    dropout,
  })
}

/** Encoder or decoder; its first layer holds the table of relative positions, and all use it. */
function backboneOf(config: Config, side: Side, words: blocks.EmbeddingsOptions["words"]): blocks.Backbone {
  const { hiddenSize, heads, epsilon, factor, dropout, buckets } = config
  const table = blocks.embedding({
    path: `${side}.block.0.layer.0.SelfAttention.relative_attention_bias`,
    rows: buckets.count,
    width: heads,
    std: factor * hiddenSize ** -0.5,
  })
  const relative = { ...buckets, table, bothWays: side === "encoder" }
  const length = side === "encoder" ? config.layers : config.decoderLayers
  return blocks.backbone({
    path: side,
    side,
    hiddenSize,
    embeddings: { words, dropout },
    layers: Array.from({ length }, (_, i) => layerAt(`${side}.block.${i}`, config, side, relative)),
    norm: blocks.rmsNorm({ path: `${side}.final_layer_norm`, width: hiddenSize, epsilon }),
    dropout,
  })
}

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader): Network {
  const config = readConfig(reader)
  const { type, hiddenSize, vocabSize, factor, isTied, isScaled, startToken, padToken } = config
  const words = blocks.embedding({ path: "shared", rows: vocabSize, width: hiddenSize, std: factor })
  const width = { inFeatures: hiddenSize, outFeatures: vocabSize }
  const output = blocks.linear({ path: "lm_head", ...width, std: factor, outputHead: true })
  const logits = blocks.vocabularyHead(output)
  return {
    ...blocks.encoderDecoderOf({
      shared: [words],
      encoder: backboneOf(config, "encoder", words),
      decoder: backboneOf(config, "decoder", words),
      modules: [output],
      head: (scope, hidden, ...rest) => logits(scope, isScaled ? mul(hidden, hiddenSize ** -0.5) : hidden, ...rest),
      startToken,
      padToken,
    }),
    maxPositions: MAX_POSITIONS,
    vocabSize,
    config: {
      scale_decoder_outputs: isScaled,
      // A whole number here is a whole number in the file, where transformers 5 wants a float; 1 is what it takes without.
      ...(factor === 1 ? { initializer_factor: undefined } : {}),
    },
    weights: [
      ...["encoder", "decoder"].map((side) => ({
        stored: `${side}.embed_tokens.weight` as const,
        names: "shared.weight" as const,
        legacy: true,
      })),
      // Of the first files.
      ...blocks.unused("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"),
      ...(isTied ? blocks.tied("shared.weight", "lm_head.weight") : []),
    ],
    defaultTargets: ["q", "v"],
    architecture: `${TYPES[type].name}ForConditionalGeneration`,
    notes: type === "mt5" && isTied && !isScaled
      ? ["tied outputs of mT5 are not scaled, as in transformers 5; transformers 4 scales them"]
      : [],
  }
}

/** The family. */
export const t5: Family = {
  modelTypes: Object.keys(TYPES),
  attention: "encoder-decoder",
  heads: ["vocabulary"],
  build,
  fields: {
    harmless: ["n_positions", "classifier_dropout"],
    neutral: { is_decoder: [false] },
  },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(t5)
