import * as Effect from "effect/Effect"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { type Grammar, type GrammarError, jsonSchema } from "../../../core/inference/text/mod.ts"

/** Grammars that are kept: those that were used last. */
const KEPT = 16

/** Grammars of JSON Schemas, each made once while it is used now and then. */
export type Grammars = (schema: unknown) => Effect.Effect<Grammar, GrammarError>

/**
 * Grammars for a tokenizer.
 *
 * @param stop Ids of the tokens that may end a text.
 */
export function makeGrammars(tokenizer: Tokenizer, stop: ReadonlyArray<number>): Grammars {
  const kept = new Map<string, Grammar>()
  return (schema) =>
    Effect.gen(function* () {
      const text = JSON.stringify(schema)
      const grammar = kept.get(text) ?? (yield* jsonSchema(tokenizer, schema as object, { stop }))
      kept.delete(text)
      kept.set(text, grammar)
      if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
      return grammar
    })
}
