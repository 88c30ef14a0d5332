import * as Effect from "effect/Effect"
import { BackendError } from "../../backend/backend_error.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { DataError } from "../../data/data_error.ts"
import { TrainingError } from "../training_error.ts"

/** Errors that plain functions of training throw on purpose. */
export type Known = BackendError | DataError | TrainingError

function toFailure(cause: unknown): Effect.Effect<never, Known> {
  // Plugin conflicts surface when a graph is built.
  const error = cause instanceof PluginError ? new TrainingError({ reason: "Options", message: cause.message }) : cause
  const known = error instanceof BackendError || error instanceof DataError || error instanceof TrainingError
  return known ? Effect.fail(error) : Effect.die(error)
}

/** Runs a plain function: {@link Known} errors become failures, any other a defect. */
export const attempt = <A>(run: () => A): Effect.Effect<A, Known> =>
  Effect.try({ try: run, catch: (cause) => cause }).pipe(Effect.catch(toFailure))

/** Runs an asynchronous function in the same way. */
export const attemptPromise = <A>(run: () => Promise<A>): Effect.Effect<A, Known> =>
  Effect.tryPromise({ try: run, catch: (cause) => cause }).pipe(Effect.catch(toFailure))
