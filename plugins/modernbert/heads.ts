import type { Head } from "../../core/contracts/head.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import type { Module, Scope } from "../../core/model/module.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { WeightMap } from "../../core/weights/weight_map.ts"
import type { Config } from "./config.ts"

/** A norm, with or without a bias. */
export const norm = (path: string, { hiddenSize, epsilon, normBias }: Config): Module =>
  blocks.layerNorm({ path, width: hiddenSize, epsilon, bias: normBias })

/** A head: the last part of its class's name, modules in the order of transformers, what files call their parameters. */
export interface OwnHead {
  readonly name: string
  readonly modules: ReadonlyArray<Module>
  readonly weights: WeightMap
  readonly forward: blocks.HeadForward
}

/** The head for a task: dense, activation and norm, then scores. `embedding` is the key of the words' table. */
export function headOf(config: Config, head: Head, embedding: string): OwnHead {
  return head.kind === "vocabulary" ? languageHead(config, embedding) : classifier(config, head)
}

function languageHead(config: Config, embedding: string): OwnHead {
  const { hiddenSize, vocabSize: outFeatures, std, decoderBias: bias, causal, isTied } = config
  const { modules, forward } = transform(config.languageHead, config)
  const output = blocks.linear({ path: "decoder", inFeatures: hiddenSize, outFeatures, bias, std, outputHead: true })
  return {
    name: causal ? "ForCausalLM" : "ForMaskedLM",
    modules: [...modules, output],
    weights: [
      ...blocks.starting(`${config.languageHead}.*`, "decoder.*"),
      ...(isTied ? blocks.tied(embedding, "decoder.weight") : []),
    ],
    forward: blocks.vocabularyHead(output, { transform: forward }),
  }
}

function classifier(
  config: Config,
  { kind, size }: Exclude<Head, { kind: "vocabulary" }>,
): OwnHead {
  const { hiddenSize, std, headDropout: dropout, headBias, causal, pooling } = config
  const { modules, forward: pool } = transform("head", config)
  const bias = causal ? headBias : true
  const output = blocks.linear({
    path: "classifier",
    inFeatures: hiddenSize,
    outFeatures: size,
    bias,
    std,
    outputHead: true,
  })
  const scores = (scope: Scope, x: Tensor) =>
    scope.call(output, scope.dropout(output, "input", pool(scope, x), dropout))
  return {
    name: kind === "token" ? "ForTokenClassification" : "ForSequenceClassification",
    modules: [...modules, output],
    weights: blocks.starting("head.*", "classifier.*"),
    forward: kind === "token" ? scores : blocks.sequenceHead(pooling, scores),
  }
}

/** What comes before the scores: dense, activation and norm. */
function transform(path: string, config: Config) {
  const { hiddenSize, headBias: bias, std, headActivation } = config
  const dense = blocks.linear({ path: `${path}.dense`, inFeatures: hiddenSize, outFeatures: hiddenSize, bias, std })
  const after = norm(`${path}.norm`, config)
  return {
    modules: [dense, after],
    forward: (scope: Scope, x: Tensor) => scope.call(after, headActivation(scope.call(dense, x))),
  }
}
