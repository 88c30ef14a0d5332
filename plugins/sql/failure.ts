import type { SqlError } from "effect/sql/SqlError"

/** What a driver says of a failure. */
interface DriverError {
  readonly message?: unknown
  /** PostgreSQL: the character of the statement, from 1. */
  readonly position?: unknown
  /** PostgreSQL: what would help. */
  readonly hint?: unknown
}

/** Where in a statement a failure is. SQLite has no position: it names the word, which tells the place if it is there once. */
const offsetOf = (statement: string, { message, position }: DriverError): number | undefined => {
  const at = Number(position)
  // PostgreSQL counts characters, not their halves.
  if (at >= 1) return [...statement].slice(0, at - 1).join("").length
  const word = /near "([^"]+)"|no such (?:column|table|function): (?:\w+\.)?(\w+)/.exec(String(message))?.slice(1)
    .find((found) => found !== undefined)
  if (word === undefined) return undefined
  const first = statement.indexOf(word)
  return first >= 0 && first === statement.lastIndexOf(word) ? first : undefined
}

/** The line of an offset with a mark below it. */
const shown = (statement: string, offset: number): string => {
  const before = statement.slice(0, offset).split("\n")
  const column = before.at(-1)!.length
  const text = statement.split("\n")[before.length - 1]
  return `line ${before.length}, column ${column + 1}:\n  ${text}\n  ${" ".repeat(column)}^`
}

/** A failed query as text: what the database says, and where in the query. */
export const failureOf = (statement: string, { reason, message }: SqlError): string => {
  const cause = (reason.cause ?? {}) as DriverError
  const said = typeof cause.message === "string" ? cause.message : message
  const hint = typeof cause.hint === "string" ? ` (${cause.hint})` : ""
  const offset = offsetOf(statement, cause)
  const place = offset === undefined ? `:\n  ${statement.replaceAll("\n", "\n  ")}` : `, ${shown(statement, offset)}`
  return `the query fails: ${said}${hint}${place}`
}
