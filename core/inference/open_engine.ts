import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { attempt } from "../contracts/attempt.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import type { Model } from "../model/model.ts"
import { ModelError } from "../model/model_error.ts"
import type { Engine, EngineOptions } from "./engine.ts"

/** An engine of a causal language model, freed with the scope. */
export function engine(
  model: Model,
  options: EngineOptions = {},
): Effect.Effect<Engine, ModelError | PluginError, Scope.Scope> {
  return Effect.flatMap(Effect.promise(() => import("./shared_engines.ts")), ({ makeEngine }) =>
    Effect.acquireRelease(
      attempt(() => makeEngine(model, options), ModelError, PluginError),
      ({ free }) => Effect.sync(free),
    ))
}
