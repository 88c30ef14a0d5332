/**
 * The BERT family: bidirectional encoders for classification of texts and tokens, masked language modelling, and
 * embeddings of texts. Model types `bert` (which includes MiniLM), `distilbert`, `roberta`, `xlm-roberta` and `camembert`,
 * with Hugging Face's names.
 *
 * ```ts
 * import * as Bert from "@espalier/espalier/bert"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Bert.layer)
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
import { maskedHead, tokenClassifier } from "./heads.ts"
import { norm } from "./layers.ts"
import { VARIANTS } from "./variants.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** What files hold beyond a model: heads of other tasks, and a buffer of old versions. */
const unusedIn = (backbone: string) => [
  ...["cls.*", "lm_head.*", `${backbone}.pooler.*`, "vocab_*", "classifier.*", "pre_classifier.*", "qa_outputs.*"],
  "*embeddings.position_ids",
]

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader, spec: Head): Network {
  const variant = VARIANTS[reader.string("model_type")]
  const config = variant.read(reader)
  const { path } = variant
  const { vocabSize, hiddenSize, maxPositions, firstPosition, tokenTypes, std } = config
  const table = (name: string, rows: number) =>
    blocks.embedding({ path: `${path}.embeddings.${name}`, rows, width: hiddenSize, std })
  const words = table("word_embeddings", vocabSize)
  const positions = table("position_embeddings", firstPosition + maxPositions)
  const body = blocks.backbone({
    path,
    hiddenSize,
    embeddings: {
      words,
      added: [
        blocks.learnedPositions(positions, firstPosition),
        ...(tokenTypes === 0 ? [] : [blocks.tokenTypes(table("token_type_embeddings", tokenTypes))]),
      ],
      norm: norm(`${path}.embeddings.LayerNorm`, config),
      dropout: config.hiddenDropout,
    },
    layers: Array.from({ length: config.layers }, (_, i) => variant.layer(`${path}.${variant.layers}.${i}`, config)),
  })
  const head = spec.kind === "vocabulary"
    ? maskedHead(variant.masked, config, `${words.path}.weight`)
    : spec.kind === "sequence"
    ? variant.classifier(config, spec.size)
    : tokenClassifier(config, spec.size)
  return {
    ...blocks.networkOf(body, head.modules, head.forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts(path, ["embeddings", "encoder", "transformer", "pooler"]),
      { stored: "*LayerNorm.gamma", names: "*LayerNorm.weight", legacy: true },
      { stored: "*LayerNorm.beta", names: "*LayerNorm.bias", legacy: true },
      ...blocks.unused(...unusedIn(path)),
      ...head.weights,
    ],
    defaultTargets: variant.defaultTargets,
    architecture: variant.name + head.name,
    notes: [],
  }
}

/** The family. */
export const bert: Family = {
  modelTypes: Object.keys(VARIANTS),
  attention: "bidirectional",
  build,
  fields: {
    // Written by converters of the first models, or for heads of other tasks.
    harmless: [
      "directionality",
      ...["fc_size", "num_attention_heads", "num_fc_layers", "size_per_head", "type"].map((name) => `pooler_${name}`),
      "sinusoidal_pos_embds",
      "qa_dropout",
      "tie_weights_",
    ],
    neutral: { is_causal: [false] },
  },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(bert)
