import type * as Effect from "effect/Effect"
import { attempt } from "../../../contracts/attempt.ts"
import type { Tokenizer } from "../../../data/tokenizer/tokenizer.ts"
import { GrammarError } from "../grammar_error.ts"
import { type Grammar, type GrammarOptions, makeGrammar } from "../grammar.ts"
import { checkSize } from "../schema_size.ts"
import type { Schema } from "./keywords.ts"
import { schemaExpression } from "./schema_expression.ts"

/**
 * Holds rows to texts of JSON that are valid by a JSON Schema (draft 2020-12, 2019-09 or 7).
 *
 * Properties come in the order of `properties`; others only where `additionalProperties` asks for them, or where no properties
 * are named. There may be a space after a colon or a comma, and no white space elsewhere; numbers have no exponent, whole ones at
 * most 16 digits, others 15. `format` holds for date, time, date-time (RFC 3339), uuid, ipv4 and email; a `pattern` may have no
 * look-around, back-reference or Unicode property. What else output cannot be held to, such as `not`, `uniqueItems`,
 * `patternProperties` or an `oneOf` whose alternatives may overlap, is a {@link GrammarError} that names the keyword. So is a
 * schema of more than 10,000 values, 100 levels, 200,000 characters of names and texts, or 500 alternatives of an `oneOf`.
 */
export function jsonSchema(
  tokenizer: Tokenizer,
  schema: object | boolean,
  options?: GrammarOptions,
): Effect.Effect<Grammar, GrammarError> {
  return attempt(() => {
    checkSize(schema)
    return makeGrammar(schemaExpression(schema as Schema), tokenizer, "the schema", options)
  }, GrammarError)
}
