import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import type { DecoderConfig } from "./decoder.ts"

/** What configs of a family leave out. */
export interface DecoderDefaults {
  readonly maxPositions: number
  readonly heads?: Partial<blocks.HeadSizes>
  /** The field that names the activation, and the one where it is left out. Default `hidden_act`, `silu`. */
  readonly activation?: readonly [field: string, otherwise: string]
  /** Default false. */
  readonly isTied?: boolean
  /** Of RMS norms. Default 1e-6. */
  readonly epsilon?: number
}

/** The part of a {@link DecoderConfig} that the configs of most decoders have under the same names. */
export type CommonConfig = Pick<
  DecoderConfig,
  | keyof blocks.HeadSizes
  | "intermediateSize"
  | "vocabSize"
  | "maxPositions"
  | "epsilon"
  | "std"
  | "dropout"
  | "tokenDropout"
  | "activation"
  | "isTied"
>

/** Reads it, with transformers' names. Throws JsonError. */
export function readDecoder(config: ConfigReader, defaults: DecoderDefaults): CommonConfig {
  const { activation: [field, otherwise] = ["hidden_act", "silu"], isTied = false, epsilon = 1e-6 } = defaults
  return {
    ...blocks.readHeads(config, defaults.heads),
    intermediateSize: config.integer("intermediate_size"),
    vocabSize: config.integer("vocab_size"),
    maxPositions: config.integer("max_position_embeddings", { default: defaults.maxPositions }),
    epsilon: config.number("rms_norm_eps", { default: epsilon, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    dropout: blocks.readRate(config, "attention_dropout", 0),
    tokenDropout: blocks.readRate(config, "classifier_dropout", blocks.readRate(config, "hidden_dropout", 0.1)),
    activation: blocks.readActivation(config, field, otherwise),
    isTied: config.boolean("tie_word_embeddings", { default: isTied }),
  }
}

/** Names of transformers' classes for all kinds of heads. */
export const classesOf = (name: string): DecoderConfig["classes"] => ({
  vocabulary: `${name}ForCausalLM`,
  sequence: `${name}ForSequenceClassification`,
  token: `${name}ForTokenClassification`,
})
