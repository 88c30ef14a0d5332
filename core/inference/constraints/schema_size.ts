import { GrammarError } from "./grammar_error.ts"

/** Most values of JSON in a schema, most of them within each other, and most characters of its names and texts. */
const VALUES = 10_000, DEPTH = 100, CHARACTERS = 200_000
/** Most alternatives of a `oneOf`, each of which is compared with all others. */
const ONE_OF = 500

const tooMuch = (what: string): GrammarError =>
  new GrammarError({ reason: "Limit", message: `${what}: give a smaller schema` })

/** Checks the size of a schema, before any work. Throws {@link GrammarError} `Limit`. */
export function checkSize(schema: unknown): void {
  const waiting: Array<readonly [value: unknown, depth: number]> = [[schema, 1]]
  let [values, characters] = [0, 0]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [value, depth] = next
    if (++values > VALUES) throw tooMuch(`the schema has more than ${VALUES} values`)
    if (depth > DEPTH) throw tooMuch(`the schema has more than ${DEPTH} levels`)
    if (typeof value === "string") characters += value.length
    if (typeof value === "object" && value !== null) {
      const { oneOf } = value as { readonly oneOf?: unknown }
      if (Array.isArray(oneOf) && oneOf.length > ONE_OF) throw tooMuch(`a "oneOf" has more than ${ONE_OF} alternatives`)
      for (const [name, part] of Object.entries(value)) {
        if (!Array.isArray(value)) characters += name.length
        waiting.push([part, depth + 1])
      }
    }
    if (characters > CHARACTERS) {
      throw tooMuch(`the names and texts of the schema have more than ${CHARACTERS} characters`)
    }
  }
}
