import * as Effect from "effect/Effect"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { PeftError } from "./peft_error.ts"

/** What a function that throws {@link PeftError} gives; anything else that it throws is a defect. */
export function attemptPeft<A>(run: () => A): Effect.Effect<A, PeftError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof PeftError ? Effect.fail(error) : Effect.die(error)
    }
  })
}

/** Options from a function that throws {@link PluginError}; anything else that it throws is a defect. */
export function resolved<A>(resolve: () => A): Effect.Effect<A, PluginError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(resolve())
    } catch (error) {
      return error instanceof PluginError ? Effect.fail(error) : Effect.die(error)
    }
  })
}
