/** The known name that is the fewest edits away from one that is not known; the first of equals. */
export function nearest(name: string, known: ReadonlyArray<string>): string {
  return known.reduce((best, other) => editDistance(name, other) < editDistance(name, best) ? other : best)
}

/** The fewest edits (Levenshtein 1966) from one text to another. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j] + (a[i] === b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1))
    }
    row = next
  }
  return row[b.length]
}
