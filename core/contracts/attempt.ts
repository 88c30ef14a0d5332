import * as Effect from "effect/Effect"

/** Errors of these classes that a plain function throws become failures; anything else is a defect. */
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
