import type { ConfigReader } from "../../core/formats/model_config.ts"
import { lastOf } from "../../core/model/batch_layout.ts"
import { linear } from "../../core/model/linear.ts"
import type { Network } from "../../core/model/network.ts"
import type { Task } from "../../core/model/task.ts"
import * as ops from "../../core/tensor/ops.ts"
import { readConfig } from "./config.ts"
import { backbone } from "./modules.ts"

/** Prefixes of transformers' classes by model type. */
const CLASSES: Readonly<Record<string, string>> = { llama: "Llama", qwen2: "Qwen2", mistral: "Mistral" }

/** Values of `model_type` that the family knows. */
export const modelTypes: ReadonlyArray<string> = Object.keys(CLASSES)

/** Heads of other tasks. */
const HEADS = ["lm_head.weight", /^(score|qa_outputs|classifier)\./]

/** Files of a backbone alone lack its prefix, as in transformers. */
function renames(stored: ReadonlyArray<string>): ReadonlyMap<string, string> {
  const bare = stored.includes("embed_tokens.weight") && !stored.some((name) => name.startsWith("model."))
  const isHead = (name: string) => HEADS.some((head) => typeof head === "string" ? head === name : head.test(name))
  return new Map(bare ? stored.filter((name) => !isHead(name)).map((name) => [name, `model.${name}`]) : [])
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
    tied: tied && !classifies ? { "lm_head.weight": "model.embed_tokens.weight" } : {},
    ignoredKeys: HEADS,
    buffers: { "rotary_emb.inv_freq": config.rope.frequencies },
    defaultTargets: ["q_proj", "v_proj"],
    newModules: classifies ? ["score"] : [],
    renames,
    architecture: `${CLASSES[reader.string("model_type")]}For${classifies ? "SequenceClassification" : "CausalLM"}`,
    notes: config.notes,
  }
}
