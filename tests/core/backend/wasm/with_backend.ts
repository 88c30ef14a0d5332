import * as Effect from "effect/Effect"
import { Backend, type BackendService } from "../../../../core/backend/backend.ts"
import { layer, type WasmOptions } from "../../../../core/backend/wasm/backend.ts"

/** Runs a test on a backend of its own, which ends with it. */
export const withBackend = <A>(options: WasmOptions, body: (backend: BackendService) => Promise<A>): Promise<A> =>
  Effect.gen(function* () {
    const backend = yield* Backend
    return yield* Effect.tryPromise({ try: () => body(backend), catch: (error) => error })
  }).pipe(Effect.provide(layer(options), { local: true }), Effect.runPromise)
