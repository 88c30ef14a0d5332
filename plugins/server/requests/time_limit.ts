import * as Effect from "effect/Effect"
import { ApiError } from "./api_error.ts"

/** Fails with 504 where an answer takes longer than so many seconds. */
export const withinSeconds =
  (seconds: number) => <A, E, R>(answer: Effect.Effect<A, E, R>): Effect.Effect<A, E | ApiError, R> =>
    Effect.timeoutOrElse(answer, {
      duration: 1000 * seconds,
      orElse: () => {
        const message = `the answer took longer than ${seconds} seconds`
        return Effect.fail(new ApiError({ status: 504, message, code: "timeout" }))
      },
    })
