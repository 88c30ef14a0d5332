import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BackendError } from "../backend/backend_error.ts"
import { attempt } from "../contracts/attempt.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import type { Model } from "../model/model.ts"
import { ModelError } from "../model/model_error.ts"
import { OBJECT, wrongArgument } from "../options/argument.ts"
import { withAdapters } from "./bank/open_bank.ts"
import type { Engine, EngineOptions } from "./engine.ts"

/** An engine of a causal language model, freed with the scope. */
export function engine(
  model: Model,
  options: EngineOptions = {},
): Effect.Effect<Engine, ModelError | PluginError | BackendError, Scope.Scope> {
  return Effect.gen(function* () {
    const wrong = wrongArgument("options", options, OBJECT)
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    const { makeEngine } = yield* Effect.promise(() => import("./shared_engines.ts"))
    const { adapters, ...own } = options
    const served = adapters === undefined ? model : yield* withAdapters(model, adapters)
    return yield* Effect.acquireRelease(
      attempt(() => makeEngine(served, own), ModelError, PluginError),
      ({ free }) => Effect.sync(free),
    )
  })
}
