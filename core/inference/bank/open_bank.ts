import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BackendError } from "../../backend/backend_error.ts"
import type { BankMethod } from "../../contracts/bank/bank_method.ts"
import type { PluginError } from "../../contracts/plugin_error.ts"
import type { Model } from "../../model/model.ts"
import type { ModelError } from "../../model/model_error.ts"
import type { AdapterBank } from "../../model/sites/adapter_bank.ts"

/** A model with a bank of adapters. */
export interface ModelWithAdapters extends Model {
  /** The bank. */
  readonly bank: AdapterBank
}

/**
 * The model with an empty bank of adapters, as another value: adapters are loaded and unloaded while it answers, each row of a
 * batch goes through one of them or none, and nothing is compiled again. An adapter is read into the host's memory; rows
 * that ask for it have it copied into one of the bank's slots, in the stead of the one that was used longest ago. Cost does
 * not depend on how many are loaded. The bank's memory is freed with the scope.
 */
export function withAdapters(
  model: Model,
  method: BankMethod,
): Effect.Effect<ModelWithAdapters, ModelError | PluginError | BackendError, Scope.Scope> {
  return Effect.flatMap(
    Effect.promise(() => import("./with_adapters.ts")),
    ({ makeWithAdapters }) => makeWithAdapters(model, method) as ReturnType<typeof withAdapters>,
  )
}
