/**
 * Curriculum learning (Bengio et al. 2009): a run draws from the easiest rows first and from more of them step by step, by
 * competence (Platanios et al. 2019) or by the losses of the run itself. It changes which rows a step has, and neither the
 * number of steps nor the mixture of tasks; it works with every method.
 *
 * ```ts
 * import * as Curriculum from "@espalier/espalier/curriculum"
 *
 * const byRarity = Curriculum.layer({ difficulty: "rarity", pacing: "competence", start: 0.05 })
 * const selfPaced = Curriculum.layer({ difficulty: "feedback", pacing: "linear", start: 0.5 })
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
import { plugin, type Plugins } from "../../core/contracts/plugins.ts"
import { type CurriculumOptions, ID, type ResolvedOptions, resolveOptions } from "./options.ts"
import { curriculumSource } from "./source.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { type CurriculumOptions, type Difficulty, OPTIONS as options, type ResolvedOptions } from "./options.ts"
export type { Pacing } from "./pacing.ts"

/** Identity of the capability. */
export interface Curriculum {
  /** Nominal brand. */
  readonly "~espalier/Curriculum": "~espalier/Curriculum"
}
/** Key of the capability: the options in force. */
export const Curriculum: Context.Service<Curriculum, ResolvedOptions> = Context.Service<Curriculum, ResolvedOptions>(
  "@espalier/espalier/Curriculum",
)

/**
 * The curriculum of a program: a second one is an error. Fails with {@link PluginError} on options that make no sense. A
 * run fails before training for streamed data, for rows without a number in the column, and with `"feedback"` for a run of
 * one epoch.
 */
export function layer(options: CurriculumOptions = {}): Layer.Layer<Curriculum, PluginError, Plugins> {
  return plugin(Curriculum, Effect.map(attempt(() => resolveOptions(options), PluginError), provide))
}

function provide(options: ResolvedOptions): readonly [ResolvedOptions, Contribution] {
  return [options, {
    id: ID,
    settings: options,
    // It chooses the rows of a step, and a mixture of tasks chooses their tasks.
    after: ["multitask"],
    requires: { paddedRows: false, perExampleLoss: options.difficulty === "feedback" },
    batches: (next, run) => curriculumSource(options, next, run),
  }]
}
