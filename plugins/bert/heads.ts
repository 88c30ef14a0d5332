import * as blocks from "../../core/model/blocks/mod.ts"
import type { ModuleNode, Scope } from "../../core/model/module.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { WeightMap } from "../../core/weights/weight_map.ts"
import type { Config } from "./config.ts"
import { dense, norm } from "./layers.ts"

/** A head: the last part of its class's name, modules in the order of transformers, what files call their parameters. */
export interface OwnHead {
  readonly name: string
  readonly modules: ReadonlyArray<ModuleNode>
  readonly weights: WeightMap
  readonly forward: blocks.HeadForward
}

/** Classes of tokens: one Linear. */
export function tokenClassifier(config: Config, size: number): OwnHead {
  const output = dense("classifier", size, config, true)
  return {
    name: "ForTokenClassification",
    modules: [output],
    weights: blocks.starting("classifier.*"),
    forward: blocks.tokenHead(output, config.tokenDropout),
  }
}

/** What a classifier of texts makes of the first place before its output. */
export interface Pooler {
  readonly path: string
  readonly activation: blocks.Activation
  /** Whether it is as new as the classifier, not the backbone's. */
  readonly isHead: boolean
}

/** Classes of texts: a pooler and a Linear. */
export function pooledClassifier({ path, activation, isHead }: Pooler, config: Config, size: number): OwnHead {
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

/** Classes of texts: two Linear modules within `classifier`, with dropout before both. */
export function denseClassifier(activation: blocks.Activation, config: Config, size: number): OwnHead {
  const { hiddenSize, classifierDropout: dropout } = config
  const first = dense("classifier.dense", hiddenSize, config, true)
  const output = dense("classifier.out_proj", size, config, true)
  const pool = (scope: Scope, x: Tensor) => activation(scope.call(first, scope.dropout(first, "input", x, dropout)))
  return {
    name: "ForSequenceClassification",
    modules: [headNode("classifier", [first, output])],
    weights: blocks.starting("classifier.*"),
    forward: blocks.firstPlaceHead(output, { pool, dropout }),
  }
}

/** Names of the modules of a masked language model's head. */
export interface MaskedNames {
  readonly transform: string
  readonly norm: string
  readonly output: string
  /** The head's own path where it has the output's bias. */
  readonly path?: string
  /** Default: the model's. */
  readonly activation?: blocks.Activation
}

/** Hidden words: dense, activation and norm, then the embedding of the words. */
export function maskedHead(names: MaskedNames, config: Config, embedding: string): OwnHead {
  const { hiddenSize, vocabSize, isTied } = config
  const transform = dense(names.transform, hiddenSize, config)
  const between = norm(names.norm, config)
  const output = dense(names.output, vocabSize, config, true)
  const modules = [transform, between, output]
  const { path, activation = config.activation } = names
  // The bias belongs to the head, and the output's is the same.
  const bias = { shape: [vocabSize], initializer: { kind: "zeros" as const } }
  return {
    name: "ForMaskedLM",
    modules: path === undefined ? modules : [headNode(path, modules, { bias })],
    weights: [
      ...blocks.starting(path === undefined ? "vocab_*" : `${path}.*`),
      ...(path === undefined ? [] : blocks.tied(`${path}.bias`, `${output.path}.bias`)),
      ...(isTied ? blocks.tied(embedding, `${output.path}.weight`) : []),
    ],
    forward: (scope, hidden) => scope.call(output, scope.call(between, activation(scope.call(transform, hidden)))),
  }
}

const headNode = (
  path: string,
  children: ReadonlyArray<ModuleNode>,
  parameters: ModuleNode["parameters"] = {},
): ModuleNode => ({ path, kind: "Head", sizes: children[0].sizes, parameters, children, outputHead: true })
