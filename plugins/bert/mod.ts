/**
 * The BERT family: bidirectional encoders for classification of texts and tokens, masked language modelling, and
 * embeddings of texts. Model types `bert` (which includes MiniLM) and `distilbert`, with Hugging Face's names.
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
import type { Module, ModuleNode, Scope } from "../../core/model/module.ts"
import type { Network } from "../../core/model/network.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { WeightMap } from "../../core/weights/weight_map.ts"
import { relu, tanh } from "../../core/tensor/ops.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** What files hold beyond a model: heads of other tasks, and a buffer of old versions. */
const UNUSED = ["cls.*", "bert.pooler.*", "vocab_*", "classifier.*", "pre_classifier.*", "qa_outputs.*"]
  .concat("*embeddings.position_ids")

/** What the two model types have alike, with transformers' names and defaults. */
function readShared(config: ConfigReader, width: string, heads: string) {
  if (config.record.tie_word_embeddings === null) throw config.error("tie_word_embeddings", "true or false")
  const hiddenSize = config.integer(width)
  const count = config.integer(heads)
  if (hiddenSize % count !== 0) throw config.error(heads, `a divisor of ${width} ${hiddenSize}`)
  return {
    vocabSize: config.integer("vocab_size"),
    hiddenSize,
    heads: count,
    causal: false,
    gated: false,
    bias: true,
    maxPositions: config.integer("max_position_embeddings"),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    isTied: config.boolean("tie_word_embeddings", { default: true }),
  }
}

function readBert(config: ConfigReader) {
  config.string("position_embedding_type", { default: "absolute", choices: ["absolute"] })
  if (config.boolean("is_decoder", { default: false })) {
    throw config.error("is_decoder", "false: attention looks both ways here")
  }
  const hiddenDropout = blocks.readRate(config, "hidden_dropout_prob", 0.1)
  const classifierDropout = blocks.readRate(config, "classifier_dropout", hiddenDropout)
  return {
    ...readShared(config, "hidden_size", "num_attention_heads"),
    intermediateSize: config.integer("intermediate_size"),
    layers: config.integer("num_hidden_layers"),
    tokenTypes: config.integer("type_vocab_size", { default: 2 }),
    epsilon: config.number("layer_norm_eps", { default: 1e-12, min: 0 }),
    activation: blocks.readActivation(config, "hidden_act", "gelu"),
    dropout: blocks.readRate(config, "attention_probs_dropout_prob", 0.1),
    hiddenDropout,
    classifierDropout,
    tokenDropout: classifierDropout,
  }
}
type Config = ReturnType<typeof readBert>

function readDistilBert(config: ConfigReader): Config {
  const hiddenDropout = blocks.readRate(config, "dropout", 0.1)
  return {
    ...readShared(config, spelling(config, "dim", "hidden_size"), spelling(config, "n_heads", "num_attention_heads")),
    intermediateSize: config.integer("hidden_dim"),
    layers: config.integer(spelling(config, "n_layers", "num_hidden_layers")),
    tokenTypes: 0,
    epsilon: 1e-12,
    activation: blocks.readActivation(config, "activation", "gelu"),
    dropout: blocks.readRate(config, "attention_dropout", 0.1),
    hiddenDropout,
    classifierDropout: blocks.readRate(config, "seq_classif_dropout", 0.2),
    tokenDropout: hiddenDropout,
  }
}

/** A field with two names; if both are present, they must agree. */
function spelling(config: ConfigReader, name: string, general: string): string {
  const both = config.has(name) && config.has(general)
  if (both && config.record[name] !== config.record[general]) {
    throw config.error(general, `what ${name} is, ${JSON.stringify(config.record[name])}, or left out`)
  }
  return config.has(general) ? general : name
}

const dense = (path: string, outFeatures: number, { hiddenSize, std }: Config, outputHead = false): Module =>
  blocks.linear({ path, inFeatures: hiddenSize, outFeatures, bias: true, std, outputHead })
const norm = (path: string, { hiddenSize, epsilon }: Config): Module =>
  blocks.layerNorm({ path, width: hiddenSize, epsilon })

/** A layer of BERT (Devlin et al. 2018); neither attention's output nor the feed-forward is within a module. */
function bertLayer(path: string, config: Config): blocks.Layer {
  const { hiddenSize, hiddenDropout } = config
  const attention = blocks.attention({
    ...config,
    path: `${path}.attention.self`,
    projections: ["query", "key", "value"],
  })
  const output = dense(`${path}.attention.output.dense`, hiddenSize, config)
  const { children, forward } = blocks.feedForward({
    ...config,
    path,
    inputs: ["intermediate.dense"],
    output: "output.dense",
    dropout: 0,
  })
  return blocks.layer({
    path,
    hiddenSize,
    attention: { ...blocks.inTurn(attention, output), norm: norm(`${path}.attention.output.LayerNorm`, config) },
    feedForward: { modules: children, forward, norm: norm(`${path}.output.LayerNorm`, config) },
    postNorm: true,
    dropout: hiddenDropout,
  })
}

/** A layer of DistilBERT (Sanh et al. 2019). */
function distilBertLayer(path: string, config: Config): blocks.Layer {
  const attention = blocks.attention({
    ...config,
    path: `${path}.attention`,
    projections: ["q_lin", "k_lin", "v_lin"],
    output: "out_lin",
  })
  const feedForward = blocks.feedForward({
    ...config,
    path: `${path}.ffn`,
    inputs: ["lin1"],
    output: "lin2",
    dropout: config.hiddenDropout,
  })
  return blocks.layer({
    path,
    hiddenSize: config.hiddenSize,
    attention: { ...blocks.inTurn(attention), norm: norm(`${path}.sa_layer_norm`, config) },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm(`${path}.output_layer_norm`, config) },
    postNorm: true,
  })
}

/** Where the two model types differ. */
const VARIANTS = {
  bert: {
    name: "Bert",
    read: readBert,
    layers: "encoder.layer",
    layer: bertLayer,
    pooler: { path: "bert.pooler.dense", activation: tanh, isHead: false },
    masked: {
      transform: "cls.predictions.transform.dense",
      norm: "cls.predictions.transform.LayerNorm",
      output: "cls.predictions.decoder",
      path: "cls.predictions",
    },
    defaultTargets: ["query", "value"],
  },
  distilbert: {
    name: "DistilBert",
    read: readDistilBert,
    layers: "transformer.layer",
    layer: distilBertLayer,
    // Part of the head: it is as new as the classifier.
    pooler: { path: "pre_classifier", activation: relu, isHead: true },
    masked: { transform: "vocab_transform", norm: "vocab_layer_norm", output: "vocab_projector", path: undefined },
    defaultTargets: ["q_lin", "v_lin"],
  },
} as const
type Variant = typeof VARIANTS[keyof typeof VARIANTS]

/** A head: the last part of its class's name, modules in the order of transformers, what files call their parameters. */
interface BertHead {
  readonly name: string
  readonly modules: ReadonlyArray<ModuleNode>
  readonly weights: WeightMap
  readonly forward: blocks.HeadForward
}

function tokenClassifier(config: Config, size: number): BertHead {
  const output = dense("classifier", size, config, true)
  return {
    name: "ForTokenClassification",
    modules: [output],
    weights: blocks.starting("classifier.*"),
    forward: blocks.tokenHead(output, config.tokenDropout),
  }
}

function classifier({ pooler: { path, activation, isHead } }: Variant, config: Config, size: number): BertHead {
  const pooler = dense(path, config.hiddenSize, config, isHead)
  const output = dense("classifier", size, config, true)
  const pool = (scope: Scope, x: Tensor) => activation(scope.call(pooler, x))
  return {
    name: "ForSequenceClassification",
    modules: [pooler, output],
    weights: blocks.starting(`${path}.*`, "classifier.*"),
    forward: blocks.firstPlaceHead(output, { pool, dropout: config.classifierDropout }),
  }
}

function maskedHead({ masked }: Variant, config: Config, embedding: string): BertHead {
  const { hiddenSize, vocabSize, activation, isTied } = config
  const transform = dense(masked.transform, hiddenSize, config)
  const between = norm(masked.norm, config)
  const output = dense(masked.output, vocabSize, config, true)
  const modules = [transform, between, output]
  const { path } = masked
  // The bias belongs to the head, and the decoder's is the same.
  const head = path && {
    path,
    kind: "Head",
    sizes: { hiddenSize },
    parameters: { bias: { shape: [vocabSize], initializer: { kind: "zeros" as const } } },
    children: modules,
    outputHead: true,
  }
  return {
    name: "ForMaskedLM",
    modules: head ? [head] : modules,
    weights: [
      ...blocks.starting(head ? `${path}.*` : "vocab_*"),
      ...(head ? blocks.tied(`${path}.bias`, `${output.path}.bias`) : []),
      ...(isTied ? blocks.tied(embedding, `${output.path}.weight`) : []),
    ],
    forward: (scope, hidden) => scope.call(output, scope.call(between, activation(scope.call(transform, hidden)))),
  }
}

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader, spec: Head): Network {
  const type = reader.string("model_type") as keyof typeof VARIANTS
  const variant = VARIANTS[type]
  const config = variant.read(reader)
  const { vocabSize, hiddenSize, maxPositions, tokenTypes, std } = config
  const table = (name: string, rows: number) =>
    blocks.embedding({ path: `${type}.embeddings.${name}`, rows, width: hiddenSize, std })
  const words = table("word_embeddings", vocabSize)
  const body = blocks.backbone({
    path: type,
    hiddenSize,
    embeddings: {
      words,
      added: [
        blocks.learnedPositions(table("position_embeddings", maxPositions)),
        ...(tokenTypes === 0 ? [] : [blocks.tokenTypes(table("token_type_embeddings", tokenTypes))]),
      ],
      norm: norm(`${type}.embeddings.LayerNorm`, config),
      dropout: config.hiddenDropout,
    },
    layers: Array.from({ length: config.layers }, (_, i) => variant.layer(`${type}.${variant.layers}.${i}`, config)),
  })
  const head = spec.kind === "vocabulary"
    ? maskedHead(variant, config, `${words.path}.weight`)
    : spec.kind === "sequence"
    ? classifier(variant, config, spec.size)
    : tokenClassifier(config, spec.size)
  return {
    ...blocks.networkOf(body, head.modules, head.forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts(type, ["embeddings", "encoder", "transformer", "pooler"]),
      { stored: "*LayerNorm.gamma", names: "*LayerNorm.weight", legacy: true },
      { stored: "*LayerNorm.beta", names: "*LayerNorm.bias", legacy: true },
      ...blocks.unused(...UNUSED),
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
