/**
 * Differential privacy: DP-SGD (Abadi et al. 2016) for any optimizer and over any method that trains parameters. What a run
 * learns of one row is bounded by (epsilon, delta): each example's gradient is clipped, Gaussian noise is added to the sum,
 * and each step draws its rows by Poisson sampling. Noise and sampling come from ChaCha under keys from `crypto`.
 *
 * ```ts
 * import * as DifferentialPrivacy from "@espalier/espalier/differential-privacy"
 * import * as Lora from "@espalier/espalier/lora"
 * import * as Layer from "effect/Layer"
 *
 * const methods = Layer.mergeAll(
 *   Lora.layer({ r: 8 }),
 *   DifferentialPrivacy.layer({ targetEpsilon: 8, delta: 1e-5 }),
 * )
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import type { Contribution } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { collection, plugin, type Plugins } from "../../core/contracts/plugins.ts"
import { contributionOf } from "./contribution.ts"
import { type DifferentialPrivacyOptions, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { Accountant, PrivateSteps } from "./accounting/accountant.ts"
export { noiseFor } from "./accounting/noise_search.ts"
export { prv } from "./accounting/prv.ts"
export { rdp } from "./accounting/rdp.ts"
export { exposures } from "./audit/exposure.ts"
export { type MembershipAttack, membershipAttack } from "./audit/membership.ts"
export type { DifferentialPrivacyOptions, ResolvedOptions } from "./options.ts"
export { OPTIONS as options } from "./options.ts"

/** Private training of a program. */
export interface DifferentialPrivacyService {
  /** Options in force by name. */
  readonly options: Effect.Effect<ReadonlyMap<string, ResolvedOptions>, PluginError>
}

/** Identity of the capability. */
export interface DifferentialPrivacy {
  /** Nominal brand. */
  readonly "~espalier/DifferentialPrivacy": "~espalier/DifferentialPrivacy"
}
/** Key of the capability. */
export const DifferentialPrivacy: Context.Service<DifferentialPrivacy, DifferentialPrivacyService> = Context.Service<
  DifferentialPrivacy,
  DifferentialPrivacyService
>("@espalier/espalier/DifferentialPrivacy")

const collect = collection<ResolvedOptions>()

/** Private training. Fails with {@link PluginError} on options that make no sense. */
export function layer(options: DifferentialPrivacyOptions): Layer.Layer<DifferentialPrivacy, PluginError, Plugins> {
  return plugin(DifferentialPrivacy, provide(options))
}

function provide(
  options: DifferentialPrivacyOptions,
): Effect.Effect<readonly [DifferentialPrivacyService, Contribution], PluginError, Plugins> {
  return Effect.gen(function* () {
    const resolved = yield* attempt(() => resolveOptions(options), PluginError)
    const contribution = contributionOf(resolved)
    return [{ options: yield* collect(contribution, resolved.name, resolved) }, contribution] as const
  })
}
