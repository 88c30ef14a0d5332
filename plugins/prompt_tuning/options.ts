import { checkOptions } from "../peft_format/mod.ts"

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
export interface ResolvedOptions
  extends Required<Pick<PromptTuningOptions, "name" | "numVirtualTokens" | "promptTuningInit">> {
  /** Id of the plugin: `prompt_tuning/<name>`. */
  readonly id: string
  /** As in {@link PromptTuningOptions}. */
  readonly promptTuningInitText?: string | ReadonlyArray<number>
  /** As in {@link PromptTuningOptions}. */
  readonly encoderReparameterizationType?: "MLP"
  /** As in {@link PromptTuningOptions}. */
  readonly encoderHiddenSize?: number
}

const KNOWN: ReadonlyArray<keyof PromptTuningOptions> = [
  "name",
  "numVirtualTokens",
  "promptTuningInit",
  "promptTuningInitText",
  "encoderReparameterizationType",
  "encoderHiddenSize",
  "encoderNumLayers",
]

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: PromptTuningOptions): ResolvedOptions {
  const { demand, positive } = checkOptions("prompt_tuning", options, KNOWN)
  const { name = "default", numVirtualTokens = 20, promptTuningInitText: text, encoderHiddenSize } = options
  const { encoderReparameterizationType: encoder, encoderNumLayers = 2 } = options
  const usual = encoder !== undefined ? "RANDOM" : text !== undefined ? "TEXT" : "SAMPLE_VOCAB"
  const { promptTuningInit = usual } = options
  positive("numVirtualTokens", numVirtualTokens)
  demand(
    ["SAMPLE_VOCAB", "TEXT", "RANDOM"].includes(promptTuningInit),
    "promptTuningInit",
    '"SAMPLE_VOCAB", "TEXT" or "RANDOM"',
    promptTuningInit,
  )
  demand(
    (promptTuningInit === "TEXT") === (text !== undefined),
    "promptTuningInitText",
    'given with promptTuningInit "TEXT" alone',
    text,
  )
  demand(encoder === undefined || encoder === "MLP", "encoderReparameterizationType", '"MLP"', encoder)
  demand(encoderNumLayers === 2, "encoderNumLayers", "2", encoderNumLayers)
  if (encoder !== undefined) {
    const wanted = '"RANDOM" with an encoder: what a network gives cannot be chosen'
    demand(promptTuningInit === "RANDOM", "promptTuningInit", wanted, promptTuningInit)
  }
  if (encoderHiddenSize !== undefined) {
    positive("encoderHiddenSize", encoderHiddenSize)
    const wanted = '"MLP" where encoderHiddenSize is given'
    demand(encoder !== undefined, "encoderReparameterizationType", wanted, encoder)
  }
  return {
    id: `prompt_tuning/${name}`,
    name,
    numVirtualTokens,
    promptTuningInit,
    ...(text === undefined ? {} : { promptTuningInitText: text }),
    ...(encoder === undefined ? {} : { encoderReparameterizationType: encoder }),
    ...(encoderHiddenSize === undefined ? {} : { encoderHiddenSize }),
  }
}
