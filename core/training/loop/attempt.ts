import * as Effect from "effect/Effect"
import { BackendError } from "../../backend/backend_error.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { DataError } from "../../data/data_error.ts"
import { TrainingError } from "../training_error.ts"

/** What plain functions of training throw on purpose. */
export type Known = BackendError | DataError | TrainingError

function sort(cause: unknown): Effect.Effect<never, Known> {
  // What plugins cannot do together shows where a graph is built.
  if (cause instanceof PluginError) {
    return Effect.fail(new TrainingError({ reason: "Options", message: cause.message }))
  }
  const known = cause instanceof BackendError || cause instanceof DataError || cause instanceof TrainingError
  return known ? Effect.fail(cause) : Effect.die(cause)
}

/** Runs a plain function: typed errors that it throws become failures, anything else is a defect. */
export function attempt<A>(run: () => A): Effect.Effect<A, Known> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (cause) {
      return sort(cause)
    }
  })
}

/** The same for a promise. */
export function attemptPromise<A>(run: () => Promise<A>): Effect.Effect<A, Known> {
  return Effect.tryPromise({ try: run, catch: (cause) => cause }).pipe(Effect.catch(sort))
}
