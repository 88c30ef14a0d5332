import { all, type Expression, literal, optional } from "../expression.ts"
import type { Range } from "./characters.ts"
import type { Document, Placed } from "./document.ts"

/** Makes expressions of the schemas in a document. */
export interface Compiler {
  readonly document: Document
  /** The expression of a schema: of one place, always the same. */
  readonly of: (placed: Placed) => Expression
  /** One character of these ranges in a string of JSON: of the same ranges, always the same. */
  readonly character: (ranges: ReadonlyArray<Range>) => Expression
}

/** A comma between items, and a colon after a name: a space may follow. */
export const [COMMA, COLON]: ReadonlyArray<Expression> = [",", ":"].map((mark) =>
  all(literal(mark), optional(literal(" ")))
)
