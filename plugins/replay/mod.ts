/**
 * Against forgetting, when a model learns from new rows: old rows between the new ones, and distillation from the base
 * model's outputs (Li and Hoiem 2016), by which the loss of a row is that of its task plus `weight` times
 * KL(base || model) wherever the row has a label; and elastic weight consolidation, which holds the weights that old rows
 * need.
 *
 * ```ts
 * import * as Replay from "@espalier/espalier/replay"
 *
 * const keep = Replay.distill({ weight: 0.5 })
 * const replay = Replay.rows({ tasks: ["old"], share: 0.2, keep: 500 })
 * const elastic = Replay.elasticWeights({ lambda: 1000 })
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
import { checkElasticRun, elasticPenalty } from "./elastic.ts"
import {
  ELASTIC_ID,
  type ElasticOptions,
  type ResolvedElasticOptions,
  resolveElasticOptions,
} from "./elastic_options.ts"
import { checkTasks, distilling } from "./distill.ts"
import { type DistillOptions, type ResolvedOptions, resolveOptions } from "./options.ts"
import { replayedRows } from "./rows.ts"
import { type ResolvedRowsOptions, resolveRowsOptions, ROWS_ID, type RowsOptions } from "./rows_options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export {
  ELASTIC_OPTIONS as elasticOptions,
  type ElasticOptions,
  type ResolvedElasticOptions,
} from "./elastic_options.ts"
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

/** Identity of the capability. */
export interface ElasticWeights {
  /** Nominal brand. */
  readonly "~espalier/ReplayElasticWeights": "~espalier/ReplayElasticWeights"
}
/** Key of the capability: the options in force. */
export const ElasticWeights: Context.Service<ElasticWeights, ResolvedElasticOptions> = Context.Service<
  ElasticWeights,
  ResolvedElasticOptions
>("@espalier/espalier/ReplayElasticWeights")

/**
 * Elastic weight consolidation (Kirkpatrick et al. 2017, eq. 3): the penalty lambda / 2 * sum F (theta - theta*)^2 over all
 * trained parameters. theta* are their values when the run starts, those of the old run. F is the diagonal of the empirical
 * Fisher information: the mean over the old rows, `retain: { old }`, of the squared gradient of the loss at the row's own
 * label, in nats, the sum of its terms, without dropout. The run computes it before its first step and keeps it in its
 * checkpoints, 8 bytes for each trained element. The reported loss is without the penalty, `gradientNorm` with it.
 *
 * Fails with {@link PluginError} on options that make no sense. A run fails before training without `retain` rows of these
 * names, in a session without `Trainer.fit`, and beside private training. A second one is an error.
 */
export function elasticWeights(options: ElasticOptions): Layer.Layer<ElasticWeights, PluginError, Plugins> {
  return plugin(
    ElasticWeights,
    Effect.map(
      attempt(() => resolveElasticOptions(options), PluginError),
      (resolved): [ResolvedElasticOptions, Contribution] => {
        const contribution: Contribution = {
          id: ELASTIC_ID,
          settings: resolved,
          gradients: { total: elasticPenalty(resolved) },
        }
        return [resolved, {
          ...contribution,
          prepare: (run) => (checkElasticRun(resolved, run), contribution),
        }]
      },
    ),
  )
}
