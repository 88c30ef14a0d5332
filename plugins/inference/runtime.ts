import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { toInferenceError } from "./inference_error.ts"

/** What an effect made, until it is closed. */
export interface Held<A> {
  readonly value: A
  /** Frees it. */
  readonly close: () => Promise<void>
}

/** Runs effects with the services of one model, until it is closed. */
export interface Runtime<R> {
  /** Rejects with an InferenceError, or with `signal.reason`. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, R>, signal?: AbortSignal) => Promise<A>
  /** Runs an effect whose scope is closed by its own `close`, or with the runtime. */
  readonly hold: <A, E>(effect: Effect.Effect<A, E, R | Scope.Scope>, signal?: AbortSignal) => Promise<Held<A>>
  /** Frees what is held, and ends the services. */
  readonly close: () => Promise<void>
}

/** Builds services. */
export async function runtimeOf<R, E>(layer: Layer.Layer<R, E>, signal: AbortSignal): Promise<Runtime<R>> {
  const scope = Scope.makeUnsafe()
  let services: Context.Context<R>
  try {
    services = await execute(Layer.buildWithScope(layer, scope), signal)
  } catch (error) {
    await close(scope)
    throw error
  }
  return {
    run: (effect, signal) => execute(Effect.provideContext(effect, services), signal),
    hold: async (effect, signal) => {
      const own = Scope.forkUnsafe(scope)
      const scoped = effect.pipe(Effect.provideService(Scope.Scope, own), Effect.provideContext(services))
      try {
        return { value: await execute(scoped, signal), close: () => close(own) }
      } catch (error) {
        await close(own)
        throw error
      }
    },
    close: () => close(scope),
  }
}

const close = (scope: Scope.Closeable): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))

async function execute<A, E>(effect: Effect.Effect<A, E>, signal: AbortSignal | undefined): Promise<A> {
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted && Cause.hasInterruptsOnly(exit.cause)) throw signal.reason
  throw toInferenceError(Cause.squash(exit.cause))
}
