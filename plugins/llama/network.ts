import type { Head } from "../../core/contracts/head.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { lastOf } from "../../core/model/sites/batch_layout.ts"
import { linear } from "../../core/model/blocks/linear.ts"
import type { Network } from "../../core/model/network.ts"
import type { WeightMap } from "../../core/weights/weight_map.ts"
import * as ops from "../../core/tensor/ops.ts"
import { readConfig } from "./config.ts"
import { backbone } from "./modules.ts"

/** Prefixes of transformers' classes by model type. */
const CLASSES: Readonly<Record<string, string>> = { llama: "Llama", qwen2: "Qwen2", mistral: "Mistral" }

/** Values of `model_type` that the family knows. */
export const modelTypes: ReadonlyArray<string> = Object.keys(CLASSES)

/** Parts of a backbone, which files of a backbone alone name without its prefix, as in transformers. */
const PARTS = ["embed_tokens", "layers", "norm"]
/** Heads of other tasks. */
const HEADS = ["lm_head", "score", "qa_outputs", "classifier"]

/** What files call the parameters of a model. */
function weightsOf(classifies: boolean, tied: boolean): WeightMap {
  const embedding = "model.embed_tokens.weight"
  return [
    ...PARTS.map((part) => ({ stored: `${part}.*`, names: `model.${part}.*`, legacy: true })),
    ...HEADS.map((head) => ({ stored: `${head}.*`, names: [] })),
    ...(classifies ? [{ stored: "score.*", names: "score.*", optional: true }] : []),
    ...(tied ? [{ stored: embedding, names: [embedding, "lm_head.weight"] }] : []),
  ]
}

/** Names of transformers' classes after their prefix, by kind of head. */
const HEADED = { sequence: "SequenceClassification", token: "TokenClassification", vocabulary: "CausalLM" } as const

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
export function buildNetwork(reader: ConfigReader, head: Head): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, std, tied } = config
  const isLanguageModel = head.kind === "vocabulary"
  const body = backbone("model", config)
  // transformers' token classifier has a bias and dropout before it; its sequence classifier has neither.
  const output = linear({
    path: isLanguageModel ? "lm_head" : "score",
    inFeatures: hiddenSize,
    outFeatures: isLanguageModel ? vocabSize : head.size,
    bias: head.kind === "token",
    std,
    outputHead: true,
  })
  return {
    root: {
      path: "",
      kind: "Model",
      sizes: { hiddenSize },
      parameters: {},
      children: [body, output],
      outputHead: false,
    },
    forward: (scope, batch) => {
      const hidden = scope.call(body, batch.tokens, batch)
      if (isLanguageModel) {
        return { hidden, logits: scope.call(output, scope.decoding === undefined ? hidden : lastOf(hidden, batch)) }
      }
      if (head.kind === "token") {
        return { hidden, logits: scope.call(output, scope.dropout(output, "input", hidden, config.tokenDropout)) }
      }
      return { hidden, logits: ops.reshape(scope.call(output, lastOf(hidden, batch)), [-1, head.size]) }
    },
    paddingFree: true,
    maxPositions: config.maxPositions,
    vocabSize,
    weights: weightsOf(!isLanguageModel, tied && isLanguageModel),
    buffers: { "rotary_emb.inv_freq": config.rope.frequencies },
    defaultTargets: ["q_proj", "v_proj"],
    architecture: `${CLASSES[reader.string("model_type")]}For${HEADED[head.kind]}`,
    notes: config.notes,
  }
}
