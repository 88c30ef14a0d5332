import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend, type BackendInfo, type BackendService } from "./backend.ts"
import { BackendError } from "./backend_error.ts"

/** A backend that has started. */
export interface Started {
  readonly service: BackendService
  /** Stops workers and releases memory and device. */
  readonly close: () => void | Promise<void>
}

/** A backend as a resource, released with the scope. Fails with `Unsupported` if it does not start. */
export const resource = (
  name: BackendInfo["name"],
  start: () => Promise<Started>,
): Layer.Layer<Backend, BackendError> =>
  Layer.effect(
    Backend,
    Effect.map(
      Effect.acquireRelease(
        Effect.tryPromise({
          try: start,
          catch: (cause) =>
            cause instanceof BackendError
              ? cause
              : new BackendError({ reason: "Unsupported", message: `${name} backend cannot start: ${cause}`, cause }),
        }),
        ({ close }) => Effect.promise(() => Promise.resolve(close())),
      ),
      ({ service }) => service,
    ),
  )
