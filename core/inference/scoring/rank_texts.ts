import * as Effect from "effect/Effect"
import type { AdapterError } from "../../contracts/bank/adapter_error.ts"
import { attempt, type DataError } from "../../data/data_error.ts"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import { wrongChoice } from "../constraints/choice.ts"
import type { GenerateError } from "../generate.ts"
import { type ScoreOptions, scoreTokens } from "./score_tokens.ts"

/** Options of {@link rankTexts}. */
export interface RankOptions extends Pick<ScoreOptions, "methods"> {
  /** The plugin that all texts go through (`"method/name"`), or `""` for none. Default: all plugins. */
  readonly plugin?: string
  /** The adapter that all texts go through, by its name in the model's bank. Default: none. */
  readonly adapter?: string
}

/** A text after a prompt. */
export interface RankedText {
  /** The text. */
  readonly text: string
  /** Natural logarithm of its probability after the prompt: the sum over its tokens. */
  readonly logProbability: number
  /** Number of those tokens. */
  readonly tokens: number
  /** Probability among the given texts, 0 to 1. */
  readonly probability: number
}

/**
 * How likely a causal language model finds each of some texts after a prompt, in their order. A token that holds the end of the
 * prompt and the beginning of a text counts to the text, in all of them from the same place on.
 */
export function rankTexts(
  model: Model,
  tokenizer: Tokenizer,
  prompt: string,
  texts: ReadonlyArray<string>,
  { methods = true, plugin, adapter }: RankOptions = {},
): Effect.Effect<ReadonlyArray<RankedText>, GenerateError | AdapterError | DataError> {
  return Effect.gen(function* () {
    const wrong = wrongChoice(texts)
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    const lists = yield* attempt(() => texts.map((text) => tokenizer.encode(prompt + text)))
    const before = yield* attempt(() => tokenizer.encode(prompt))
    const from = Math.max(1, Math.min(...lists.map((list) => shared(list, before))))
    const scored = yield* scoreTokens(model, lists, {
      methods,
      ...plugin === undefined ? {} : { plugins: lists.map(() => plugin) },
      ...adapter === undefined ? {} : { adapters: lists.map(() => adapter) },
    })
    const sums = scored.map((tokens) => tokens.slice(from).reduce((sum, one) => sum + one.logProbability!, 0))
    const top = Math.max(...sums)
    const total = sums.reduce((all, sum) => all + Math.exp(sum - top), 0)
    return texts.map((text, i) => ({
      text,
      logProbability: sums[i],
      tokens: lists[i].length - from,
      probability: Math.exp(sums[i] - top) / total,
    }))
  })
}

/** Number of ids that both begin with. */
function shared(a: Int32Array, b: Int32Array): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}
