import type { ConfigReader } from "../../core/formats/model_config.ts"
import { lastOf } from "../../core/model/batch_layout.ts"
import { linear } from "../../core/model/linear.ts"
import type { Network } from "../../core/model/network.ts"
import type { Task } from "../../core/model/task.ts"
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

/** Structure of a model. Throws JsonError when the config asks for what is not known here. */
export function buildNetwork(reader: ConfigReader, task: Task): Network {
  const config = readConfig(reader)
  const { hiddenSize, vocabSize, std, tied } = config
  const classifies = task.kind === "classification"
  const body = backbone("model", config)
  const head = linear({
    path: classifies ? "score" : "lm_head",
    inFeatures: hiddenSize,
    outFeatures: classifies ? task.labels.length : vocabSize,
    std,
    outputHead: true,
  })
  return {
    root: {
      path: "",
      kind: "Model",
      sizes: { hiddenSize },
      parameters: {},
      children: [body, head],
      outputHead: false,
    },
    forward: (scope, batch) => {
      const hidden = scope.call(body, batch.tokens, batch)
      if (!classifies) {
        return { hidden, logits: scope.call(head, scope.decoding === undefined ? hidden : lastOf(hidden, batch)) }
      }
      const logits = scope.call(head, lastOf(hidden, batch))
      return { hidden, logits: ops.reshape(logits, [-1, task.labels.length]) }
    },
    paddingFree: true,
    maxPositions: config.maxPositions,
    vocabSize,
    weights: weightsOf(classifies, tied && !classifies),
    buffers: { "rotary_emb.inv_freq": config.rope.frequencies },
    defaultTargets: ["q_proj", "v_proj"],
    architecture: `${CLASSES[reader.string("model_type")]}For${classifies ? "SequenceClassification" : "CausalLM"}`,
    notes: config.notes,
  }
}
