import * as Effect from "effect/Effect"
import { BackendError } from "./backend_error.ts"

/** Runs what a backend does; whatever it throws becomes a {@link BackendError}. */
export function inBackend<A>(run: () => A | Promise<A>): Effect.Effect<A, BackendError> {
  return Effect.tryPromise({
    try: async () => await run(),
    catch: (cause) =>
      cause instanceof BackendError
        ? cause
        : new BackendError({ reason: "Run", message: cause instanceof Error ? cause.message : String(cause), cause }),
  })
}
