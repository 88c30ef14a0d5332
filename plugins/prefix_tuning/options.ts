import type { OptionTable, Resolved } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"

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
export interface ResolvedOptions extends Resolved<PrefixTuningOptions, "encoderHiddenSize" | "initText"> {
  /** Id of the plugin: `prefix_tuning/<name>`. */
  readonly id: string
}

/** {@link PrefixTuningOptions} as a table. */
export const OPTIONS: OptionTable<PrefixTuningOptions, "encoderHiddenSize" | "initText"> = {
  name: methodName,
  numVirtualTokens: field.integer({
    minimum: 1,
    default: 20,
    doc: "Keys and values before a sequence in every attention",
  }),
  prefixProjection: field.boolean({ default: false, doc: "A network makes the prefix while it trains" }),
  encoderHiddenSize: field.integer({
    minimum: 1,
    absent: "the width of an attention's keys",
    doc: "Width inside that network",
  }),
  initWeights: field.choice(["random", "zero", "text"], {
    default: ({ initText }) => initText === undefined ? "random" : "text",
    absent: "text where there is an initText, else random",
    doc: "How keys and values start",
  }),
  initText: field.anyOf([field.text({}), field.list(field.integer({}), {})], {
    wanted: "a text or a list of token ids",
    doc: "A text to start from, or its token ids",
  }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: PrefixTuningOptions): ResolvedOptions {
  const resolved = methodOptions("prefix_tuning", OPTIONS, options)
  const { id, prefixProjection, encoderHiddenSize, initWeights, initText } = resolved
  const must = demandOf(id)
  const projected = prefixProjection || encoderHiddenSize === undefined
  must(projected, "prefixProjection", "true where encoderHiddenSize is given", prefixProjection)
  must(
    (initWeights === "text") === (initText !== undefined),
    "initText",
    'given with initWeights "text" alone',
    initText,
  )
  const chosen = '"random" or "zero" with prefixProjection: what a network gives cannot be chosen'
  must(initWeights !== "text" || !prefixProjection, "initWeights", chosen, initWeights)
  return resolved
}
