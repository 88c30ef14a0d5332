/**
 * Exposure of each canary in bits: `log2 |R| - log2 rank`, its rank among the candidates and itself by score, the highest
 * first (Carlini et al. 2019, "The secret sharer", definition 5). The candidates are a random sample of what the canary could
 * have been, not all of it (section 4.3 there), so exposure is at most `log2(candidates + 1)`; without memorization its
 * mean is about 1.44. A candidate with the canary's own score ranks before it. Throws a RangeError without candidates, or on
 * a score that is not a number.
 */
export function exposures(canaries: ReadonlyArray<number>, candidates: ReadonlyArray<number>): ReadonlyArray<number> {
  if (candidates.length === 0) throw new RangeError("exposure needs one candidate or more, got none")
  if ([...canaries, ...candidates].some(Number.isNaN)) throw new RangeError("a score must be a number, got NaN")
  const possible = Math.log2(candidates.length + 1)
  return canaries.map((score) => possible - Math.log2(1 + candidates.filter((other) => other >= score).length))
}
