import type { OptionTable, Resolved } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"

/** Options of prompt tuning, with PEFT's meaning. */
export interface PromptTuningOptions {
  /** Tells prompts of one model apart; the plugin's id is `prompt_tuning/<name>`. Default `"default"`. */
  readonly name?: string
  /** Number of rows that come before the embedded tokens. Default 20. */
  readonly numVirtualTokens?: number
  /**
   * How the rows start. `"SAMPLE_VOCAB"`: as embeddings of random tokens. `"TEXT"`: as those of a text. `"RANDOM"`: from
   * N(0, 1), PEFT's default, which hardly learns: the embeddings of real tokens are much smaller. Default `"TEXT"` where
   * there is a text, else `"SAMPLE_VOCAB"`; with an encoder always `"RANDOM"`.
   */
  readonly promptTuningInit?: "SAMPLE_VOCAB" | "TEXT" | "RANDOM"
  /**
   * A text for the tokenizer in the model's directory, or its token ids: over again or cut to the number of virtual tokens.
   */
  readonly promptTuningInitText?: string | ReadonlyArray<number>
  /**
   * P-tuning (Liu et al. 2021): while they train, the rows are what a network makes of an embedding,
   * W3 relu(W2 relu(W1 E + b1) + b2) + b3. Default: none, the rows are the parameters.
   */
  readonly encoderReparameterizationType?: "MLP"
  /** Width inside that network. Default: the model's. */
  readonly encoderHiddenSize?: number
  /** PEFT's network has 2 layers between its ends, whatever its config says; so no other number is taken here. */
  readonly encoderNumLayers?: 2
}

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions extends
  Omit<
    Resolved<PromptTuningOptions, "promptTuningInitText" | "encoderReparameterizationType" | "encoderHiddenSize">,
    "encoderNumLayers"
  > {
  /** Id of the plugin: `prompt_tuning/<name>`. */
  readonly id: string
}

/** {@link PromptTuningOptions} as a table. */
export const OPTIONS: OptionTable<
  PromptTuningOptions,
  "promptTuningInitText" | "encoderReparameterizationType" | "encoderHiddenSize"
> = {
  name: methodName,
  numVirtualTokens: field.integer({ minimum: 1, default: 20, doc: "Rows before the embedded tokens" }),
  promptTuningInit: field.choice(["SAMPLE_VOCAB", "TEXT", "RANDOM"], {
    default: ({ encoderReparameterizationType: encoder, promptTuningInitText: text }) =>
      encoder !== undefined ? "RANDOM" : text !== undefined ? "TEXT" : "SAMPLE_VOCAB",
    absent: "TEXT where there is a text, RANDOM with an encoder, else SAMPLE_VOCAB",
    doc: "How the rows start",
  }),
  promptTuningInitText: field.anyOf([field.text({}), field.list(field.integer({}), {})], {
    wanted: "a text or a list of token ids",
    doc: "A text to start from, or its token ids",
  }),
  encoderReparameterizationType: field.choice(["MLP"], { absent: "none", doc: "P-tuning: a network makes the rows" }),
  encoderHiddenSize: field.integer({ minimum: 1, absent: "the model's", doc: "Width inside that network" }),
  encoderNumLayers: field.choice([2], { default: 2, doc: "Layers of that network: as PEFT has it, 2" }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: PromptTuningOptions): ResolvedOptions {
  const { encoderNumLayers: _, ...resolved } = methodOptions("prompt_tuning", OPTIONS, options)
  const { id, promptTuningInit, promptTuningInitText: text, encoderReparameterizationType: encoder } = resolved
  const must = demandOf(id)
  const given = (promptTuningInit === "TEXT") === (text !== undefined)
  must(given, "promptTuningInitText", 'given with promptTuningInit "TEXT" alone', text)
  const random = '"RANDOM" with an encoder: what a network gives cannot be chosen'
  must(encoder === undefined || promptTuningInit === "RANDOM", "promptTuningInit", random, promptTuningInit)
  const encodes = encoder !== undefined || resolved.encoderHiddenSize === undefined
  must(encodes, "encoderReparameterizationType", '"MLP" where encoderHiddenSize is given', encoder)
  return resolved
}
