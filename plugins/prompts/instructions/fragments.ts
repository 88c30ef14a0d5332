import * as Effect from "effect/Effect"
import { DataError } from "../../../core/data/data_error.ts"
import type { Rng } from "../../../core/tensor/operations/random.ts"
import type { Proposer } from "./proposer.ts"

/** Instructions that a round proposes, and draws until it gives up. */
const ROUND = 4, DRAWS = 200

/**
 * Proposes instructions of given fragments, one of each list, joined by spaces; `""` leaves a part out. Each is the best one so far
 * with one fragment exchanged, or drawn anew while there is none.
 *
 * @throws DataError `Empty` for no list, or a list without fragments.
 */
export function fragments(parts: ReadonlyArray<ReadonlyArray<string>>): Proposer {
  if (parts.length === 0 || parts.some(({ length }) => length === 0)) {
    throw new DataError({ reason: "Empty", message: "fragments needs lists of at least one fragment each" })
  }
  const made = new Map<string, ReadonlyArray<number>>()
  const textOf = (choice: ReadonlyArray<number>) => {
    const text = choice.map((fragment, part) => parts[part][fragment]).filter((fragment) => fragment !== "").join(" ")
    made.set(text, choice)
    return text
  }
  const drawn = (rng: Rng) => parts.map(({ length }) => rng.int(length))
  const changed = (choice: ReadonlyArray<number>, rng: Rng) => {
    const part = rng.int(parts.length)
    return choice.with(part, rng.int(parts[part].length))
  }
  return {
    name: "fragments",
    propose: ({ kept, tried, rng }) =>
      Effect.sync(() => {
        const best = kept.map(({ instruction }) => made.get(instruction)).find((choice) => choice !== undefined)
        const fresh = new Set<string>()
        for (let draw = 0; draw < DRAWS && fresh.size < ROUND; draw++) {
          // Once all neighbours of the best one were tried, others are drawn.
          const text = textOf(best === undefined || draw > DRAWS / 2 ? drawn(rng) : changed(best, rng))
          if (text !== "" && !tried.has(text)) fresh.add(text)
        }
        return [...fresh]
      }),
  }
}
