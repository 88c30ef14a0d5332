/**
 * Against forgetting, when a model learns from new rows: old rows between the new ones, and distillation from the base
 * model's outputs (Li and Hoiem 2016), by which the loss of a row is that of its task plus `weight` times
 * KL(base || model) wherever the row has a label.
 *
 * ```ts
 * import * as Replay from "@espalier/espalier/replay"
 *
 * const keep = Replay.distill({ weight: 0.5 })
 * const replay = Replay.rows({ tasks: ["old"], share: 0.2, keep: 500 })
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
import { replayedRows } from "./rows.ts"
import { type ResolvedRowsOptions, resolveRowsOptions, ROWS_ID, type RowsOptions } from "./rows_options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { type DistillOptions, OPTIONS as distillOptions, type ResolvedOptions } from "./options.ts"
export { type ResolvedRowsOptions, ROWS_OPTIONS as rowsOptions, type RowsOptions } from "./rows_options.ts"

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

/** Identity of the capability. */
export interface Rows {
  /** Nominal brand. */
  readonly "~espalier/ReplayRows": "~espalier/ReplayRows"
}
/** Key of the capability: the options in force. */
export const Rows: Context.Service<Rows, ResolvedRowsOptions> = Context.Service<Rows, ResolvedRowsOptions>(
  "@espalier/espalier/ReplayRows",
)

/**
 * Replay of old rows (Robins 1995): some steps of an epoch have rows of the training split that are named as old,
 * `train: { new: ..., old: ... }`. A model of one task takes its rows under any names; of a model of several, the names are
 * tasks. An epoch has every new row once and steps of old rows evenly between, `share` of all. Fails with
 * {@link PluginError} on options that make no sense. A run fails before training where a name has no rows, for streams, and
 * beside other plugins whose batches have an order of their own. A second replay is an error.
 */
export function rows(options: RowsOptions = {}): Layer.Layer<Rows, PluginError, Plugins> {
  return plugin(
    Rows,
    Effect.map(
      attempt(() => resolveRowsOptions(options), PluginError),
      (resolved): [ResolvedRowsOptions, Contribution] => [
        resolved,
        {
          id: ROWS_ID,
          settings: resolved,
          requires: { paddedRows: false },
          batches: (next, run) => replayedRows(resolved, next, run),
        },
      ],
    ),
  )
}
