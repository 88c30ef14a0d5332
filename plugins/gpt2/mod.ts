/**
 * The GPT-2 family (Radford et al. 2019): decoders with learned positions and layer norms, for causal language modelling, and
 * for numbers by sequence or by token (classification, regression). Model type `gpt2`, with Hugging Face's names.
 *
 * ```ts
 * import * as Gpt2 from "@espalier/espalier/gpt2"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Gpt2.layer)
 * ```
 *
 * Queries, keys and values are one module, `attn.c_attn`: adapters for it, PEFT's too, are of all three together. Files
 * hold the weights of layers with their axes swapped; in memory they are as all others.
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
import { decoderHead } from "../decoder/mod.ts"
import { type Config, readConfig } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** Modules whose weights files hold as [in, out] (transformers' `Conv1D`). */
const TRANSPOSED = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]

/** What files hold beyond a model: masks of old versions, heads of other tasks. */
const UNUSED = ["*.attn.bias", "*.attn.masked_bias", "lm_head.*", "score.*", "classifier.*", "qa_outputs.*"]
  .concat("multiple_choice_head.*")

function layerAt(path: string, config: Config, index: number): blocks.Layer {
  const { hiddenSize, heads, epsilon, std, layers, isScaled, isScaledByLayer } = config
  const norm = (name: string) => blocks.layerNorm({ path: `${path}.${name}`, width: hiddenSize, epsilon })
  // The ends of the parts start smaller the more of them add up (section 2.3).
  const outputStd = std / Math.sqrt(2 * layers)
  const attention = blocks.attention({
    ...config,
    path: `${path}.attn`,
    projections: ["c_attn"],
    output: "c_proj",
    outputStd,
    scale: (isScaled ? 1 / Math.sqrt(hiddenSize / heads) : 1) / (isScaledByLayer ? index + 1 : 1),
    causal: true,
  })
  const feedForward = blocks.feedForward({
    ...config,
    path: `${path}.mlp`,
    inputs: ["c_fc"],
    gated: false,
    output: "c_proj",
    outputStd,
    dropout: 0,
  })
  return blocks.layer({
    path,
    hiddenSize,
    attention: { ...blocks.inTurn(attention), norm: norm("ln_1") },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm("ln_2") },
    dropout: config.hiddenDropout,
  })
}

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
function build(reader: ConfigReader, head: Head): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, maxPositions, layers, epsilon, std } = config
  const table = (name: string, rows: number) =>
    blocks.embedding({ path: `transformer.${name}`, rows, width: hiddenSize, std })
  const body = blocks.backbone({
    path: "transformer",
    hiddenSize,
    embeddings: {
      words: table("wte", vocabSize),
      added: [blocks.learnedPositions(table("wpe", maxPositions))],
      dropout: config.embeddingDropout,
    },
    layers: Array.from({ length: layers }, (_, i) => layerAt(`transformer.h.${i}`, config, i)),
    norm: blocks.layerNorm({ path: "transformer.ln_f", width: hiddenSize, epsilon }),
  })
  const isLanguageModel = head.kind === "vocabulary"
  const [path, title] = ({
    vocabulary: ["lm_head", "LMHeadModel"],
    token: ["classifier", "ForTokenClassification"],
    sequence: ["score", "ForSequenceClassification"],
  } as const)[head.kind]
  const { output, forward } = decoderHead({ ...config, path }, head)
  return {
    ...blocks.networkOf(body, [output], forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("transformer", ["wte", "wpe", "h", "ln_f"]),
      ...blocks.unused(...UNUSED),
      ...blocks.transposed(...TRANSPOSED.map((name) => `transformer.h.*.${name}.weight`)),
      ...(isLanguageModel ? [] : blocks.starting(`${path}.*`)),
      ...(isLanguageModel && config.isTied ? blocks.tied("transformer.wte.weight", "lm_head.weight") : []),
    ],
    defaultTargets: ["c_attn"],
    architecture: `GPT2${title}`,
    notes: [],
  }
}

/** The family. */
export const gpt2: Family = {
  modelTypes: ["gpt2"],
  attention: "causal",
  build,
  gguf: { gpt2: async () => (await import("./gguf.ts")).dialect },
  ggufTokenizers: async () => (await import("./gguf.ts")).tokenizers,
  fields: {
    harmless: [
      // Of precision alone: scores are float32 here.
      "reorder_and_upcast_attn",
      // Of a head for multiple choice.
      ...["type", "use_proj", "activation", "proj_to_labels", "first_dropout"].map((name) => `summary_${name}`),
    ],
    neutral: { is_causal: [true] },
  },
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(gpt2)
