import { GrammarError } from "../grammar_error.ts"
import { checked, type Schema, type SchemaObject, unsupported } from "./keywords.ts"

/** A schema at its place in a document. */
export interface Placed {
  readonly schema: Schema
  /** A pointer such as `#/properties/name`. */
  readonly at: string
}

/** Steps that are taken at most: a small schema may hold itself in ways that have no end. */
const STEPS = 100_000

/** Steps that are left, for all documents that share it. */
export interface Budget {
  left: number
}

/** All steps. */
export const makeBudget = (): Budget => ({ left: STEPS })

/** A schema that others are parts of. */
export class Document {
  private readonly known = new Map<Schema, SchemaObject>()
  constructor(readonly root: Schema, private readonly budget: Budget) {}

  /** Counts work. Throws {@link GrammarError} `Limit`. */
  spend(steps: number): void {
    this.budget.left -= steps
    if (this.budget.left > 0) return
    const message =
      `the schema takes more than ${STEPS} steps to read: give a smaller schema, with less of allOf and $ref`
    throw new GrammarError({ reason: "Limit", message })
  }

  /** The keywords of a schema, without annotations. Throws {@link GrammarError}. */
  keywords({ schema, at }: Placed): SchemaObject {
    this.spend(1)
    const known = this.known.get(schema) ?? checked(schema, at)
    this.known.set(schema, known)
    return known
  }

  /** What `$ref` names. Throws {@link GrammarError}. */
  resolved(reference: string, at: string): Placed {
    this.spend(reference.length / 100)
    if (!/^#(\/|$)/.test(reference)) {
      throw unsupported("$ref", at, `must point into the same schema, such as "#/$defs/name"; got "${reference}"`)
    }
    let schema: unknown = this.root
    for (const part of reference.split("/").slice(1)) {
      const name = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~")
      schema = typeof schema === "object" && schema !== null && Object.hasOwn(schema, name)
        ? (schema as Readonly<Record<string, unknown>>)[name]
        : undefined
    }
    if (schema !== undefined) return { schema: schema as Schema, at: reference }
    throw new GrammarError({
      reason: "Schema",
      keyword: "$ref",
      message: `${at}: there is no "${reference}" in the schema`,
    })
  }
}

/** A part of a pointer, in which a character may be written with %; what is no such writing is left as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
