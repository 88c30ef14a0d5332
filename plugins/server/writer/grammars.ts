import * as Effect from "effect/Effect"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { type Grammar, type GrammarError, type TextForm, textForm } from "../../../core/inference/text/mod.ts"

/** Grammars that are kept: those that were used last. */
const KEPT = 16

/** Grammars of forms, each made once while it is used now and then. */
export type Grammars = (form: TextForm) => Effect.Effect<Grammar, GrammarError>

/**
 * Grammars for a tokenizer.
 *
 * @param stop Ids of the tokens that may end a text.
 */
export function makeGrammars(tokenizer: Tokenizer, stop: ReadonlyArray<number>): Grammars {
  const kept = new Map<string, Grammar>()
  return (form) =>
    Effect.gen(function* () {
      const text = JSON.stringify(form)
      const grammar = kept.get(text) ?? (yield* textForm(tokenizer, form, { stop }))
      kept.delete(text)
      kept.set(text, grammar)
      if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
      return grammar
    })
}
