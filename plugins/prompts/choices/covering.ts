import { type Choice, cosine, vectorOf } from "./choice.ts"

/**
 * Examples that stand for all others, the same for every query: each step takes the one that raises the sum over the pool of
 * the cosine with the nearest chosen one the most (facility location; Nemhauser, Wolsey and Fisher 1978: at least 63 % of the
 * best sum). Takes time with the square of the pool.
 */
export const covering = (): Choice => ({
  name: "covering",
  embeds: true,
  from: ({ labels, vectors }, count) => {
    const rows = [...labels.keys()]
    const covered = new Float64Array(labels.length)
    const chosen: Array<number> = []
    // What a row adds falls as others are chosen: an old sum is a bound, so most sums are not computed again.
    const bounds = new Float64Array(labels.length).fill(Infinity)
    const gain = (row: number) => {
      const own = vectorOf(vectors!, row)
      return rows.reduce((sum, other) => sum + Math.max(0, cosine(own, vectorOf(vectors!, other)) - covered[other]), 0)
    }
    while (chosen.length < Math.min(count, labels.length)) {
      let best = -1, most = -1
      for (const row of rows.filter((row) => !chosen.includes(row)).sort((a, b) => bounds[b] - bounds[a] || a - b)) {
        if (bounds[row] <= most) break
        bounds[row] = gain(row)
        if (bounds[row] > most) [best, most] = [row, bounds[row]]
      }
      chosen.push(best)
      const own = vectorOf(vectors!, best)
      for (const other of rows) covered[other] = Math.max(covered[other], cosine(own, vectorOf(vectors!, other)))
    }
    return () => chosen
  },
})
