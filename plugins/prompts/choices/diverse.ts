import { dataOptions } from "../../../core/data/data_options.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import { type Choice, cosine, vectorOf } from "./choice.ts"

/** Options of {@link diverse}. */
export interface DiverseOptions {
  /** Weight of nearness to the query, from 0 to 1; the rest is distance from what was chosen before. Default 0.5. */
  readonly lambda?: number
}

const OPTIONS: OptionTable<DiverseOptions> = {
  lambda: field.number({ minimum: 0, maximum: 1, default: 0.5, doc: "Weight of nearness to the query" }),
}

/**
 * Near to the query and far from one another: maximal marginal relevance (Carbonell and Goldstein 1998).
 *
 * @throws DataError `BadInput` for wrong options.
 */
export const diverse = (options: DiverseOptions = {}): Choice => {
  const { lambda } = dataOptions(OPTIONS, options)
  return {
    name: "diverse",
    embeds: true,
    from: ({ labels, vectors }, count) => (query) => {
      const near = labels.map((_, row) => cosine(query!, vectorOf(vectors!, row)))
      const redundant = new Float64Array(labels.length)
      const chosen: Array<number> = []
      const open = new Set(labels.keys())
      while (chosen.length < count && open.size > 0) {
        const worth = (row: number) => lambda * near[row] - (1 - lambda) * redundant[row]
        const best = [...open].reduce((a, b) => worth(b) > worth(a) ? b : a)
        chosen.push(best)
        open.delete(best)
        for (const row of open) {
          const likeness = cosine(vectorOf(vectors!, best), vectorOf(vectors!, row))
          redundant[row] = chosen.length === 1 ? likeness : Math.max(redundant[row], likeness)
        }
      }
      return chosen
    },
  }
}
