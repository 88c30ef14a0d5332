/**
 * EuroBERT (Boizard et al. 2025, arXiv 2503.05500): bidirectional encoders of Llama's layers, for masked language modelling,
 * classification of texts and tokens, and embeddings of texts. Model type `eurobert`, with the names of transformers 5.
 *
 * ```ts
 * import * as EuroBert from "@espalier/espalier/eurobert"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(EuroBert.layer)
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
import type { Module, Scope } from "../../core/model/module.ts"
import type { Network } from "../../core/model/network.ts"
import { gelu } from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { decoderBody, readDecoder } from "../decoder/mod.ts"
import { ropeOf } from "../rotary/mod.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** What stands for a text: the scores of its first token, of the mean of all, or the mean of all scores. */
const POOLINGS = {
  bos: (scores: Scores) => blocks.sequenceHead(blocks.firstPlace, scores),
  mean: (scores: Scores) => blocks.sequenceHead(blocks.meanPlace, scores),
  late: blocks.meanScoresHead,
}
type Scores = (scope: Scope, x: Tensor) => Tensor

function readConfig(config: ConfigReader) {
  const common = readDecoder(config, { maxPositions: 8192, epsilon: 1e-5 })
  const bias = config.boolean("attention_bias", { default: false })
  const pooling = config.string("classifier_pooling", { default: "late", choices: Object.keys(POOLINGS) })
  const older = config.string("clf_pooling", { default: pooling })
  if (older !== pooling) throw config.error("clf_pooling", `"${pooling}", as classifier_pooling is, or left out`)
  const layer = { rope: ropeOf(config, common) }
  return {
    ...common,
    bias,
    outputBias: bias,
    feedForwardBias: config.boolean("mlp_bias", { default: false }),
    causal: false,
    layers: Array.from({ length: config.integer("num_hidden_layers") }, () => layer),
    pool: POOLINGS[pooling as keyof typeof POOLINGS],
  }
}

function build(reader: ConfigReader, head: Head): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, maxPositions, std, feedForwardBias, isTied } = config
  const linear = (path: string, outFeatures: number, bias: boolean, outputHead = true): Module =>
    blocks.linear({ path, inFeatures: hiddenSize, outFeatures, bias, std, outputHead })
  const output = head.kind === "vocabulary"
    ? linear("lm_head", vocabSize, feedForwardBias)
    : linear("classifier", head.size, true)
  const dense = linear("dense", hiddenSize, true, false)
  const scores: Scores = (scope, x) => scope.call(output, gelu(scope.call(dense, x)))
  const [name, modules, forward, weights] = ({
    vocabulary: [
      "MaskedLM",
      [output],
      blocks.vocabularyHead(output),
      isTied ? blocks.tied("model.embed_tokens.weight", "lm_head.weight") : [],
    ],
    token: ["TokenClassification", [output], blocks.tokenHead(output, 0), blocks.starting("classifier.*")],
    sequence: [
      "SequenceClassification",
      [dense, output],
      config.pool(scores),
      blocks.starting("dense.*", "classifier.*"),
    ],
  } as const)[head.kind]
  return {
    ...blocks.networkOf(decoderBody(config), modules, forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("model", ["embed_tokens", "layers", "norm"]),
      ...blocks.unused("lm_head.*", "dense.*", "classifier.*"),
      ...weights,
    ],
    defaultTargets: ["q_proj", "v_proj"],
    architecture: `EuroBertFor${name}`,
    notes: [],
  }
}

/** The family. */
export const euroBert: Family = {
  modelTypes: ["eurobert"],
  attention: "bidirectional",
  build,
  fields: { neutral: { is_causal: [false] } },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(euroBert)
