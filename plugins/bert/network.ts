import type { Head as HeadSpec } from "../../core/contracts/head.ts"
import type { BatchTensors } from "../../core/contracts/objective.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { firstOf } from "../../core/model/sites/batch_layout.ts"
import { layerNorm } from "../../core/model/blocks/layer_norm.ts"
import { linear } from "../../core/model/blocks/linear.ts"
import type { Module, ModuleNode, Scope } from "../../core/model/module.ts"
import type { Network } from "../../core/model/network.ts"
import type { WeightMap } from "../../core/weights/weight_map.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { type BertConfig, readBertConfig, readDistilBertConfig } from "./config.ts"
import { backbone, bertBlock, dense, distilBertBlock, type Masked } from "./modules.ts"

/** From hidden states to logits: of the tokens [B, T, hiddenSize], and of the whole with rows before them. */
interface Head {
  /** Its modules, in the order of transformers. */
  readonly modules: ReadonlyArray<ModuleNode>
  /** What files call their parameters. */
  readonly weights: WeightMap
  /** Builds the graph. */
  readonly forward: (scope: Scope, hidden: Tensor, whole: Tensor, batch: BatchTensors) => Tensor
}

/** One of the two kinds of models. */
interface Variant {
  /** Prefix of transformers' classes. */
  readonly name: string
  readonly read: (config: ConfigReader) => BertConfig
  readonly backbone: (config: BertConfig) => Masked
  readonly classifier: (config: BertConfig, labels: number) => Head
  readonly maskedLM: (config: BertConfig) => Head
  readonly defaultTargets: ReadonlyArray<string>
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  bert: {
    name: "Bert",
    read: readBertConfig,
    backbone: (config) => backbone("bert", config, "encoder.layer", bertBlock),
    classifier: (config, labels) => {
      const { hiddenSize } = config
      return classifier(dense("bert.pooler.dense", hiddenSize, hiddenSize, config), ops.tanh, config, labels)
    },
    maskedLM: bertMaskedLM,
    defaultTargets: ["query", "value"],
  },
  distilbert: {
    name: "DistilBert",
    read: readDistilBertConfig,
    backbone: (config) => backbone("distilbert", config, "transformer.layer", distilBertBlock),
    classifier: (config, labels) => {
      const { hiddenSize } = config
      // Part of the head: it is as new as the classifier.
      const pooler = { ...dense("pre_classifier", hiddenSize, hiddenSize, config), outputHead: true }
      return classifier(pooler, ops.relu, config, labels)
    },
    maskedLM: distilBertMaskedLM,
    defaultTargets: ["q_lin", "v_lin"],
  },
}

/** Values of `model_type` that the family knows. */
export const modelTypes: ReadonlyArray<string> = Object.keys(VARIANTS)

/** Names of transformers' classes after their prefix, by kind of head. */
const CLASSES = {
  sequence: "ForSequenceClassification",
  token: "ForTokenClassification",
  vocabulary: "ForMaskedLM",
} as const

/** What files hold beyond a model: heads of other tasks, and a buffer of old versions. */
const IGNORED = [
  "cls.*",
  "bert.pooler.*",
  "vocab_*",
  "classifier.*",
  "pre_classifier.*",
  "qa_outputs.*",
  "*embeddings.position_ids",
]

/** Parts of a backbone, which files of a backbone alone name without its prefix; a norm's parameters in old files. */
const legacyNames = (prefix: string): WeightMap => [
  ...["embeddings", "encoder", "transformer", "pooler"].map((part) => ({
    stored: `${part}.*`,
    names: `${prefix}.${part}.*`,
    legacy: true,
  })),
  { stored: "*LayerNorm.gamma", names: "*LayerNorm.weight", legacy: true },
  { stored: "*LayerNorm.beta", names: "*LayerNorm.bias", legacy: true },
]

/** Tensors of the head, new where files lack them. */
const starting = (...names: ReadonlyArray<string>): WeightMap =>
  names.map((name) => ({ stored: name, names: name, optional: true }))

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
export function buildNetwork(reader: ConfigReader, spec: HeadSpec): Network {
  const type = reader.string("model_type")
  const variant = VARIANTS[type]
  const config = variant.read(reader)
  const body = variant.backbone(config)
  const head = headOf(variant, config, spec)
  return {
    root: {
      path: "",
      kind: "Model",
      sizes: { hiddenSize: config.hiddenSize },
      parameters: {},
      children: [body, ...head.modules],
      outputHead: false,
    },
    forward: (scope, batch) => {
      const { tokens } = batch
      const whole = scope.call(body, tokens, batch)
      const places = whole.shape[1]
      const hidden = ops.narrow(whole, 1, places - tokens.shape[1], places)
      return { hidden, logits: head.forward(scope, hidden, whole, batch) }
    },
    paddingFree: true,
    maxPositions: config.maxPositions,
    vocabSize: config.vocabSize,
    weights: [...legacyNames(type), ...IGNORED.map((stored) => ({ stored, names: [] })), ...head.weights],
    defaultTargets: variant.defaultTargets,
    architecture: variant.name + CLASSES[spec.kind],
    notes: [],
  }
}

function headOf(variant: Variant, config: BertConfig, spec: HeadSpec): Head {
  if (spec.kind === "vocabulary") return variant.maskedLM(config)
  return spec.kind === "sequence" ? variant.classifier(config, spec.size) : tokenClassifier(config, spec.size)
}

/** The output that is the embedding of the tokens. */
function tiedTo(backbone: string, output: string): WeightMap[number] {
  const embedding = `${backbone}.embeddings.word_embeddings.weight`
  return { stored: embedding, names: [embedding, output] }
}

function output(path: string, { hiddenSize, std }: BertConfig, outFeatures: number): Module {
  return linear({ path, inFeatures: hiddenSize, outFeatures, bias: true, std, outputHead: true })
}

/** Classes of a text, from the first place, be it a token or a row before them (as in transformers): [B, classes]. */
function classifier(pooler: Module, activation: (x: Tensor) => Tensor, config: BertConfig, labels: number): Head {
  const head = output("classifier", config, labels)
  return {
    modules: [pooler, head],
    weights: starting(`${pooler.path}.*`, `${head.path}.*`),
    forward: (scope, _, whole, batch) => {
      const pooled = activation(scope.call(pooler, firstOf(whole, batch)))
      const logits = scope.call(head, scope.dropout(head, "input", pooled, config.classifierDropout))
      return ops.reshape(logits, [-1, labels])
    },
  }
}

/** Classes of each token: [B, T, classes]. */
function tokenClassifier(config: BertConfig, labels: number): Head {
  const head = output("classifier", config, labels)
  return {
    modules: [head],
    weights: starting(`${head.path}.*`),
    forward: (scope, hidden) => scope.call(head, scope.dropout(head, "input", hidden, config.tokenDropout)),
  }
}

function bertMaskedLM(config: BertConfig): Head {
  const { hiddenSize, vocabSize, epsilon, activation } = config
  const path = "cls.predictions"
  const transform = dense(`${path}.transform.dense`, hiddenSize, hiddenSize, config)
  const norm = layerNorm({ path: `${path}.transform.LayerNorm`, width: hiddenSize, epsilon })
  const decoder = output(`${path}.decoder`, config, vocabSize)
  // The bias belongs to the head, and the decoder's is the same.
  const predictions: ModuleNode = {
    path,
    kind: "Head",
    sizes: { hiddenSize },
    parameters: { bias: { shape: [vocabSize], initializer: { kind: "zeros" } } },
    children: [transform, norm, decoder],
    outputHead: true,
  }
  return {
    modules: [predictions],
    weights: [
      ...starting(`${path}.*`),
      { stored: `${path}.bias`, names: [`${path}.bias`, `${path}.decoder.bias`] },
      ...(config.tied ? [tiedTo("bert", `${path}.decoder.weight`)] : []),
    ],
    forward: (scope, hidden) => scope.call(decoder, scope.call(norm, activation(scope.call(transform, hidden)))),
  }
}

function distilBertMaskedLM(config: BertConfig): Head {
  const { hiddenSize, vocabSize, epsilon, activation } = config
  const transform = dense("vocab_transform", hiddenSize, hiddenSize, config)
  const norm = layerNorm({ path: "vocab_layer_norm", width: hiddenSize, epsilon })
  const projector = output("vocab_projector", config, vocabSize)
  return {
    modules: [transform, norm, projector],
    weights: [...starting("vocab_*"), ...(config.tied ? [tiedTo("distilbert", "vocab_projector.weight")] : [])],
    forward: (scope, hidden) => scope.call(projector, scope.call(norm, activation(scope.call(transform, hidden)))),
  }
}
