import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ApiError } from "./api_error.ts"

/** Room for rows that run, and for some that wait. */
export interface Places {
  /** Rows that run or wait. */
  readonly taken: () => number
  /**
   * Takes places, or fails at once where there are too few. Each run of the effect that it gives frees one of them; those that
   * are left are freed with the scope.
   */
  readonly take: (rows: number) => Effect.Effect<Effect.Effect<void>, ApiError, Scope.Scope>
}

/** Retry-After, in seconds: openai's clients do not wait longer than the last. */
const SOONEST = 1, LATEST = 60

/**
 * Places for rows.
 *
 * @param rows How many run at once.
 * @param queue How many more may wait.
 */
export function makePlaces(rows: number, queue: number): Places {
  const all = rows + queue
  let taken = 0
  /** Seconds that a row takes, of late. */
  let usual = 0
  const take = (wanted: number) =>
    Effect.suspend(() => {
      if (wanted > all) {
        const message = `a request may have at most ${all} answers, got ${wanted}: send several requests`
        return Effect.fail(new ApiError({ status: 400, message }))
      }
      if (taken + wanted > all) {
        const retryAfter = Math.min(LATEST, Math.max(SOONEST, Math.ceil(usual * (taken - rows) / rows)))
        const message = `all ${all} places are taken: try again in ${retryAfter} seconds`
        return Effect.fail(new ApiError({ status: 429, message, code: "queue_full", retryAfter }))
      }
      taken += wanted
      const since = performance.now()
      let left = wanted
      const free = Effect.sync(() => {
        if (left === 0) return
        left--
        taken--
        usual += ((performance.now() - since) / 1000 - usual) / 8
      })
      const rest = Effect.suspend(() => Effect.replicateEffect(free, left, { discard: true }))
      return Effect.as(Effect.addFinalizer(() => rest), free)
    })
  return { taken: () => taken, take }
}
