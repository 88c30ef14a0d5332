/** `heading (n): names`, on a line of its own; at most ten names are spelled out, none gives no line. */
export function listNames(heading: string, names: ReadonlyArray<string>): string {
  if (names.length === 0) return ""
  const more = names.length > 10 ? `, and ${names.length - 10} more` : ""
  return `\n  ${heading} (${names.length}): ${names.slice(0, 10).join(", ")}${more}`
}
