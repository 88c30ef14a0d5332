import { vectorsOf } from "../../retrieval/mod.ts"
import { type Choice, type Pool, vectorOf } from "./choice.ts"

/** Another choice for each label by itself, as many examples of each, taken in turns. */
export const balanced = (inner: Choice): Choice => ({
  name: `balanced ${inner.name}`,
  embeds: inner.embeds,
  from: (pool, count) => {
    const labels = [...new Set(pool.labels)]
    const each = Math.ceil(count / labels.length)
    const parts = labels.map((label) => {
      const rows = [...pool.labels.keys()].filter((row) => pool.labels[row] === label)
      return { rows, ranking: inner.from(partOf(pool, rows), each) }
    })
    return (query) => {
      const ranked = parts.map(({ rows, ranking }) => ranking(query).map((row) => rows[row]))
      return Array.from({ length: each }, (_, turn) => ranked.flatMap((rows) => rows.slice(turn, turn + 1))).flat()
        .slice(0, count)
    }
  },
})

/** Some rows of a pool. */
const partOf = ({ labels, vectors }: Pool, rows: ReadonlyArray<number>): Pool => ({
  labels: rows.map((row) => labels[row]),
  ...vectors === undefined ? {} : { vectors: vectorsOf(rows.map((row) => vectorOf(vectors, row))) },
})
