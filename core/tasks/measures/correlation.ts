/**
 * Correlation coefficients, as in SciPy; 0 where one of the two never changes.
 * @module
 */

/** Pearson's correlation coefficient, -1 to 1. */
export const pearson = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  const centred = (values: ReadonlyArray<number>) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    return values.map((value) => value - mean)
  }
  const dot = (x: ReadonlyArray<number>, y: ReadonlyArray<number>) => x.reduce((sum, value, i) => sum + value * y[i], 0)
  const [x, y] = [centred(a), centred(b)]
  const spread = Math.sqrt(dot(x, x) * dot(y, y))
  return spread === 0 ? 0 : Math.max(-1, Math.min(1, dot(x, y) / spread))
}

/** Spearman's rank correlation coefficient, -1 to 1: Pearson's of the ranks, where equal values share their mean rank. */
export const spearman = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => pearson(ranks(a), ranks(b))

const ranks = (values: ReadonlyArray<number>): ReadonlyArray<number> => {
  const order = [...values.keys()].sort((i, j) => values[i] - values[j])
  const ranks = new Array<number>(values.length)
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to]] === values[order[from]]) to++
    for (let at = from; at < to; at++) ranks[order[at]] = (from + to - 1) / 2
  }
  return ranks
}
