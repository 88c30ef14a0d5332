import type * as Effect from "effect/Effect"
import { attempt } from "../../contracts/attempt.ts"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { TEXTS, wrongArgument } from "../../options/argument.ts"
import { any, literal } from "./expression.ts"
import { GrammarError } from "./grammar_error.ts"
import { type Grammar, type GrammarOptions, makeGrammar } from "./grammar.ts"

/** Holds rows to one of these texts. */
export function choice(
  tokenizer: Tokenizer,
  texts: ReadonlyArray<string>,
  options?: GrammarOptions,
): Effect.Effect<Grammar, GrammarError> {
  return attempt(() => {
    const wrong = wrongChoice(texts)
    if (wrong !== undefined) throw new GrammarError({ reason: "Schema", message: wrong })
    return makeGrammar(any(...texts.map(literal)), tokenizer, "the choice", options)
  }, GrammarError)
}

/** What is wrong with texts to choose from, or nothing. */
export function wrongChoice(texts: ReadonlyArray<string>): string | undefined {
  const wrong = wrongArgument("the texts to choose from", texts, TEXTS)
  if (wrong !== undefined) return wrong
  if (texts.length === 0 || texts.includes("")) return "the texts to choose from must be at least one, and none empty"
}
