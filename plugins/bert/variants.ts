/**
 * Where the model types differ.
 * @module
 */
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import type * as blocks from "../../core/model/blocks/mod.ts"
import { gelu, relu, tanh } from "../../core/tensor/ops.ts"
import { type Config, readBert, readDistilBert, readRoberta } from "./config.ts"
import { denseClassifier, type MaskedNames, type OwnHead, pooledClassifier } from "./heads.ts"
import { bertLayer, distilBertLayer } from "./layers.ts"

/** A model type. */
export interface Variant {
  /** Of transformers' classes. */
  readonly name: string
  /** Path of the backbone. */
  readonly path: string
  readonly read: (config: ConfigReader) => Config
  /** Path of the layers within. */
  readonly layers: string
  readonly layer: (path: string, config: Config) => blocks.Layer
  readonly classifier: (config: Config, size: number) => OwnHead
  readonly masked: MaskedNames
  readonly defaultTargets: ReadonlyArray<string>
}

const bert: Variant = {
  name: "Bert",
  path: "bert",
  read: readBert,
  layers: "encoder.layer",
  layer: bertLayer,
  classifier: (config, size) =>
    pooledClassifier({ path: "bert.pooler.dense", activation: tanh, isHead: false }, config, size),
  masked: {
    transform: "cls.predictions.transform.dense",
    norm: "cls.predictions.transform.LayerNorm",
    output: "cls.predictions.decoder",
    path: "cls.predictions",
  },
  defaultTargets: ["query", "value"],
}

const distilBert: Variant = {
  name: "DistilBert",
  path: "distilbert",
  read: readDistilBert,
  layers: "transformer.layer",
  layer: distilBertLayer,
  classifier: (config, size) =>
    pooledClassifier({ path: "pre_classifier", activation: relu, isHead: true }, config, size),
  masked: { transform: "vocab_transform", norm: "vocab_layer_norm", output: "vocab_projector" },
  defaultTargets: ["q_lin", "v_lin"],
}

/** RoBERTa (Liu et al. 2019) and its kin: BERT's layers, other positions and heads. */
const roberta = (name: string): Variant => ({
  ...bert,
  name,
  path: "roberta",
  read: readRoberta,
  classifier: (config, size) => denseClassifier(tanh, config, size),
  masked: {
    transform: "lm_head.dense",
    norm: "lm_head.layer_norm",
    output: "lm_head.decoder",
    path: "lm_head",
    activation: gelu,
  },
})

/** By `model_type`. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  "bert": bert,
  "distilbert": distilBert,
  "roberta": roberta("Roberta"),
  "xlm-roberta": roberta("XLMRoberta"),
  "camembert": roberta("Camembert"),
}
