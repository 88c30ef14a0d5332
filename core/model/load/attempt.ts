import * as Effect from "effect/Effect"
import { PluginError } from "../../contracts/plugin_error.ts"
import { JsonError } from "../../formats/json_error.ts"
import { ModelError } from "../model_error.ts"

/** Typed errors that plain functions throw become failures; anything else is a defect. */
export function attempt<A>(run: () => A): Effect.Effect<A, ModelError | PluginError | JsonError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      const known = error instanceof ModelError || error instanceof PluginError || error instanceof JsonError
      return known ? Effect.fail(error) : Effect.die(error)
    }
  })
}
