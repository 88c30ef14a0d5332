import { all, type Expression, literal, optional } from "../expression.ts"
import type { Placed } from "./flatten.ts"
import type { Schema } from "./keywords.ts"

/** Makes expressions of the schemas in a document. */
export interface Compiler {
  readonly document: Schema
  /** The expression of a schema: of one place, always the same. */
  readonly of: (placed: Placed) => Expression
}

/** A comma between items, and a colon after a name: a space may follow. */
export const [COMMA, COLON]: ReadonlyArray<Expression> = [",", ":"].map((mark) =>
  all(literal(mark), optional(literal(" ")))
)
