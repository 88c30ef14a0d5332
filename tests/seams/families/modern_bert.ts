/**
 * ModernBERT (Warner et al. 2024) as a family of another author, against the public exports alone: an encoder with rotary
 * positions, where most layers see a window of tokens alone and every third one sees all. It reads `config.json` as
 * transformers 4.57 writes it, and has heads for texts (of the first token), for tokens, and for masked words.
 *
 * ```ts
 * const Methods = Layer.mergeAll(Lora.layer({ r: 8 }), ModernBert.layer)
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import {
  type ConfigReader,
  Families,
  type Head,
  type Network,
  type PluginError,
  type Scope,
  type Tensor,
} from "../../../mod.ts"
import { blocks } from "../../../plugins/authoring/mod.ts"

/** A config, checked, with transformers' names and defaults. */
function read(config: ConfigReader) {
  config.string("classifier_pooling", { default: "cls", choices: ["cls"] })
  const { hiddenSize, heads, headDim } = blocks.readHeads(config)
  const bias = (field: string, otherwise = false) => config.boolean(field, { default: otherwise })
  const theta = config.number("global_rope_theta", { default: 160000, min: 1 })
  const localTheta = config.optional("local_rope_theta", (name) => config.number(name, { min: 1 })) ?? theta
  const rope = (base: number): blocks.Rope => ({ frequencies: blocks.ropeFrequencies(base, headDim), scale: 1 })
  return {
    hiddenSize,
    heads,
    intermediateSize: config.integer("intermediate_size"),
    vocabSize: config.integer("vocab_size"),
    layers: config.integer("num_hidden_layers"),
    maxPositions: config.integer("max_position_embeddings", { default: 8192 }),
    epsilon: config.number("norm_eps", { default: 1e-5, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    every: config.integer("global_attn_every_n_layers", { default: 3 }),
    // A token sees half of these on each side.
    window: Math.floor(config.integer("local_attention", { default: 128 }) / 2) + 1,
    global: rope(theta),
    local: rope(localTheta),
    attentionBias: bias("attention_bias"),
    feedForwardBias: bias("mlp_bias"),
    normBias: bias("norm_bias"),
    headBias: bias("classifier_bias"),
    decoderBias: bias("decoder_bias", true),
    activation: blocks.readActivation(config, "hidden_activation", "gelu"),
    headActivation: blocks.readActivation(config, "classifier_activation", "gelu"),
    embeddingDropout: blocks.readRate(config, "embedding_dropout", 0),
    headDropout: blocks.readRate(config, "classifier_dropout", 0),
    isTied: bias("tie_word_embeddings", true),
  }
}
type Config = ReturnType<typeof read>

const norm = (path: string, { hiddenSize, epsilon, normBias }: Config) =>
  blocks.layerNorm({ path, width: hiddenSize, epsilon, bias: normBias })

function layerAt(index: number, config: Config): blocks.Layer {
  const { hiddenSize, every } = config
  const path = `model.layers.${index}`
  const isGlobal = index % every === 0
  const attention = blocks.attention({
    ...config,
    path: `${path}.attn`,
    projections: ["Wqkv"],
    output: "Wo",
    bias: config.attentionBias,
    causal: false,
    rope: isGlobal ? config.global : config.local,
    window: isGlobal ? undefined : config.window,
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
    // The embeddings have a norm already.
    attention: { ...blocks.inTurn(attention), ...(index === 0 ? {} : { norm: norm(`${path}.attn_norm`, config) }) },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm(`${path}.mlp_norm`, config) },
  })
}

function build(reader: ConfigReader, head: Head): Network {
  const config = read(reader)
  const { hiddenSize, vocabSize, maxPositions, std, headDropout: dropout } = config
  const table = "model.embeddings.tok_embeddings"
  const body = blocks.backbone({
    path: "model",
    hiddenSize,
    embeddings: {
      words: blocks.embedding({ path: table, rows: vocabSize, width: hiddenSize, std }),
      norm: norm("model.embeddings.norm", config),
      dropout: config.embeddingDropout,
    },
    layers: Array.from({ length: config.layers }, (_, i) => layerAt(i, config)),
    norm: norm("model.final_norm", config),
  })
  const dense = (path: string, outFeatures: number, bias: boolean, outputHead = false) =>
    blocks.linear({ path, inFeatures: hiddenSize, outFeatures, bias, std, outputHead })
  const [before, after] = [dense("head.dense", hiddenSize, config.headBias), norm("head.norm", config)]
  const pool = (scope: Scope, x: Tensor) => scope.call(after, config.headActivation(scope.call(before, x)))
  const output = head.kind === "vocabulary"
    ? dense("decoder", vocabSize, config.decoderBias, true)
    : dense("classifier", head.size, true, true)
  const ofTokens: blocks.HeadForward = (scope, hidden) =>
    scope.call(output, scope.dropout(output, "input", pool(scope, hidden), dropout))
  const [name, forward] = ({
    vocabulary: ["MaskedLM", ofTokens],
    token: ["TokenClassification", ofTokens],
    sequence: ["SequenceClassification", blocks.firstPlaceHead(output, { pool, dropout })],
  } as const)[head.kind]
  return {
    ...blocks.networkOf(body, [before, after, output], forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("model", ["embeddings", "layers", "final_norm"]),
      ...blocks.unused("head.*", "decoder.*", "classifier.*"),
      ...blocks.starting("head.*", `${output.path}.*`),
      ...(head.kind === "vocabulary" && config.isTied ? blocks.tied(`${table}.weight`, "decoder.weight") : []),
    ],
    defaultTargets: ["Wqkv"],
    architecture: `ModernBertFor${name}`,
    notes: [],
  }
}

/** The family. */
export const layer: Layer.Layer<never, PluginError, Families.Families> = Families.family({
  modelTypes: ["modernbert"],
  attention: "bidirectional",
  build,
  fields: {
    harmless: ["initializer_cutoff_factor", "deterministic_flash_attn", "reference_compile", "repad_logits_with_grad"]
      .concat("sparse_prediction", "sparse_pred_ignore_index"),
    neutral: { attention_dropout: [0], mlp_dropout: [0] },
  },
})
