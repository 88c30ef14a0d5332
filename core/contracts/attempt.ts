import * as Effect from "effect/Effect"

/** Runs a plain function: errors of the given classes become failures, any other a defect. */
export function attempt<A, Known extends ReadonlyArray<abstract new (...given: never) => unknown>>(
  run: () => A,
  ...known: Known
): Effect.Effect<A, InstanceType<Known[number]>> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return known.some((one) => error instanceof one)
        ? Effect.fail(error as InstanceType<Known[number]>)
        : Effect.die(error)
    }
  })
}
