/** Names of tensors: a text in which each `*` stands for any text, the empty one included. */
export type NamePattern = string

/** The texts that the `*` of a pattern stand for in a name; undefined where the name does not match. */
export function matchName(pattern: NamePattern, name: string): ReadonlyArray<string> | undefined {
  return expressionOf(pattern).exec(name)?.slice(1)
}

/** The name that a pattern gives with these texts in the place of its `*`. */
export function fillName(pattern: NamePattern, parts: ReadonlyArray<string>): string {
  let at = 0
  return pattern.replace(/\*/g, () => parts[at++])
}

/** A pattern as a regular expression for whole names. */
export function expressionOf(pattern: NamePattern): RegExp {
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "(.*)")}$`)
}
