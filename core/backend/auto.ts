/**
 * Takes the first backend that starts here. Its description says which, and why not those before it.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Backend, type BackendService } from "./backend.ts"
import type { BackendError } from "./backend_error.ts"
import * as Wasm from "./wasm/backend.ts"

/** Fastest first. */
const candidates: ReadonlyArray<Layer.Layer<Backend, BackendError>> = [Wasm.layer()]

const take = (
  [first, ...others]: ReadonlyArray<Layer.Layer<Backend, BackendError>>,
  passedOver: string,
): Effect.Effect<BackendService, BackendError, Scope.Scope> =>
  Layer.build(first).pipe(
    Effect.map((context) => {
      const service = Context.get(context, Backend)
      return { ...service, info: { ...service.info, description: service.info.description + passedOver } }
    }),
    Effect.catch((error) =>
      others.length === 0 ? Effect.fail(error) : take(others, `${passedOver}; passed over: ${error.message}`)
    ),
  )

/** The best backend of this machine. Fails with the last one's error when none starts. */
export const layer: Layer.Layer<Backend, BackendError> = Layer.effect(Backend, take(candidates, ""))
