import { checkOptions } from "../peft_format/mod.ts"

/** Options of prefix tuning, with PEFT's meaning. */
export interface PrefixTuningOptions {
  /** Tells prefixes of one model apart; the plugin's id is `prefix_tuning/<name>`. Default `"default"`. */
  readonly name?: string
  /** Number of keys and values that come before a sequence in every attention. Default 20. */
  readonly numVirtualTokens?: number
  /**
   * Whether the prefix is what a network makes of an embedding, W2 tanh(W1 E + b1) + b2 (Li and Liang 2021, section 4.3),
   * while it trains. Default false: its keys and values are the parameters.
   */
  readonly prefixProjection?: boolean
  /** Width inside that network. Default: the width of an attention's keys. */
  readonly encoderHiddenSize?: number
  /**
   * How keys and values start. `"random"`: from N(0, 1), or from what a new network makes of that. `"zero"`: at zero.
   * `"text"`: as the base model's own for `initText`; not with `prefixProjection`. Default `"text"` where there is an
   * `initText`, else `"random"`.
   */
  readonly initWeights?: "random" | "zero" | "text"
  /**
   * A text for the tokenizer in the model's directory, or its token ids: over again or cut to the number of virtual tokens.
   */
  readonly initText?: string | ReadonlyArray<number>
}

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions extends Required<Omit<PrefixTuningOptions, "encoderHiddenSize" | "initText">> {
  /** Id of the plugin: `prefix_tuning/<name>`. */
  readonly id: string
  /** As in {@link PrefixTuningOptions}. */
  readonly encoderHiddenSize?: number
  /** As in {@link PrefixTuningOptions}. */
  readonly initText?: string | ReadonlyArray<number>
}

const KNOWN: ReadonlyArray<keyof PrefixTuningOptions> = [
  "name",
  "numVirtualTokens",
  "prefixProjection",
  "encoderHiddenSize",
  "initWeights",
  "initText",
]

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: PrefixTuningOptions): ResolvedOptions {
  const { demand, positive } = checkOptions("prefix_tuning", options, KNOWN)
  const { name = "default", numVirtualTokens = 20, prefixProjection = false, encoderHiddenSize, initText } = options
  const { initWeights = initText === undefined ? "random" : "text" } = options
  positive("numVirtualTokens", numVirtualTokens)
  demand(typeof prefixProjection === "boolean", "prefixProjection", "true or false", prefixProjection)
  if (encoderHiddenSize !== undefined) {
    positive("encoderHiddenSize", encoderHiddenSize)
    demand(prefixProjection, "prefixProjection", "true where encoderHiddenSize is given", prefixProjection)
  }
  demand(["random", "zero", "text"].includes(initWeights), "initWeights", '"random", "zero" or "text"', initWeights)
  demand(
    (initWeights === "text") === (initText !== undefined),
    "initText",
    'given with initWeights "text" alone',
    initText,
  )
  demand(
    initWeights !== "text" || !prefixProjection,
    "initWeights",
    '"random" or "zero" with prefixProjection: what a network gives cannot be chosen',
    initWeights,
  )
  return {
    id: `prefix_tuning/${name}`,
    name,
    numVirtualTokens,
    prefixProjection,
    initWeights,
    ...(encoderHiddenSize === undefined ? {} : { encoderHiddenSize }),
    ...(initText === undefined ? {} : { initText }),
  }
}
