/**
 * Against forgetting, when a model learns from new rows: distillation from the base model's outputs (Li and Hoiem 2016).
 * The loss of a row is that of its task plus `weight` times KL(base || model) wherever the row has a label.
 *
 * ```ts
 * import * as Replay from "@espalier/espalier/replay"
 *
 * const keep = Replay.distill({ weight: 0.5 })
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
import { checkTasks, distilling } from "./distill.ts"
import { type DistillOptions, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { type DistillOptions, OPTIONS as distillOptions, type ResolvedOptions } from "./options.ts"

/** What holds a program's models to their base. */
export interface ReplayService {
  /** Options in force by name. */
  readonly distillations: Effect.Effect<ReadonlyMap<string, ResolvedOptions>, PluginError>
}

/** Identity of the capability. */
export interface Replay {
  /** Nominal brand. */
  readonly "~espalier/Replay": "~espalier/Replay"
}
/** Key of the capability. */
export const Replay: Context.Service<Replay, ReplayService> = Context.Service<Replay, ReplayService>(
  "@espalier/espalier/Replay",
)

const collect = collection<ResolvedOptions>()

/**
 * Distillation from the base model as it was loaded, with all methods off, for tasks with classes or next tokens: language
 * models, and heads that were trained before. A new head has nothing to keep. A step computes the base model's outputs
 * too. Fails with {@link PluginError} on options that make no sense; a run of another task fails before training.
 */
export function distill(options: DistillOptions = {}): Layer.Layer<Replay, PluginError, Plugins> {
  return plugin(
    Replay,
    Effect.gen(function* () {
      const resolved = yield* attempt(() => resolveOptions(options), PluginError)
      const contribution: Contribution = {
        id: resolved.id,
        settings: resolved,
        resolve: (tasks) => (checkTasks(resolved.id, tasks), {}),
        requires: { paddedRows: false },
        objective: { wrap: distilling(resolved) },
      }
      return [{ distillations: yield* collect(contribution, resolved.name, resolved) }, contribution] as const
    }),
  )
}
