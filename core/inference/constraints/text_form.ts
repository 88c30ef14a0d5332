import type * as Effect from "effect/Effect"
import { attempt } from "../../contracts/attempt.ts"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { all, any, type Expression, literal, repeat } from "./expression.ts"
import { type Grammar, type GrammarOptions, makeGrammar } from "./grammar.ts"
import { GrammarError } from "./grammar_error.ts"
import { makeBudget } from "./schema/document.ts"
import type { Schema } from "./schema/keywords.ts"
import { schemaExpression } from "./schema/schema_expression.ts"
import { checkSize } from "./schema_size.ts"

/** A form of texts, as plain data: fixed texts, JSON that is valid by schemas, and what these are joined to. */
export type TextForm =
  /** This text. */
  | string
  /** JSON that is valid by a JSON Schema; `name` stands before its places in messages. */
  | { readonly schema: unknown; readonly name?: string }
  /** All in order. */
  | { readonly all: ReadonlyArray<TextForm> }
  /** One of these. */
  | { readonly any: ReadonlyArray<TextForm> }
  /** Once or more often, with a text between. */
  | { readonly several: TextForm; readonly between: string }

/**
 * Holds rows to a form. What holds for the schemas of `jsonSchema` holds for those in it, and for their sizes together. Fails
 * with {@link GrammarError}.
 */
export function textForm(
  tokenizer: Tokenizer,
  form: TextForm,
  options?: GrammarOptions,
): Effect.Effect<Grammar, GrammarError> {
  return attempt(() => {
    checkSize(form)
    const budget = makeBudget()
    const expressionOf = (form: TextForm): Expression => {
      if (typeof form === "string") return literal(form)
      if ("schema" in form) return schemaExpression(form.schema as Schema, { name: form.name, budget })
      if ("all" in form) return all(...form.all.map(expressionOf))
      if ("any" in form) return any(...form.any.map(expressionOf))
      const one = expressionOf(form.several)
      return all(one, repeat(all(literal(form.between), one), 0))
    }
    const what = typeof form === "object" && "schema" in form ? "the schema" : "the form"
    return makeGrammar(expressionOf(form), tokenizer, what, options)
  }, GrammarError)
}
