import * as Effect from "effect/Effect"
import type { Near, VectorIndex, Vectors, VectorSearch } from "./vector_search.ts"

/** Compares a query with every vector. Some ten thousand vectors take milliseconds. Runs everywhere. */
export const exact = (): VectorSearch => ({ name: "exact", over: (vectors) => Effect.succeed(overAll(vectors)) })

function overAll({ width, values }: Vectors): VectorIndex {
  return {
    nearest: (query, count) => {
      const found: Array<Near> = []
      for (let index = 0; index * width < values.length; index++) {
        let score = 0
        for (let i = 0; i < width; i++) score += query[i] * values[index * width + i]
        if (found.length >= count && !(score > found[found.length - 1].score)) continue
        // Equal ones stay in the order of their rows.
        const at = found.findIndex((other) => score > other.score)
        found.splice(at < 0 ? found.length : at, 0, { index, score })
        found.length = Math.min(found.length, count)
      }
      return found
    },
  }
}
