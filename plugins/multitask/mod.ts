/**
 * Several tasks in one run: how their rows are mixed, how their losses are weighed (Kendall et al. 2018), and what becomes
 * of gradients that are in conflict (PCGrad, Yu et al. 2020). Over any method, or over the whole model.
 *
 * ```ts
 * import * as Layer from "effect/Layer"
 * import * as Lora from "@espalier/espalier/lora"
 * import * as Multitask from "@espalier/espalier/multitask"
 *
 * const methods = Layer.mergeAll(
 *   Lora.layer({ r: 8 }),
 *   Multitask.layer({ mixing: "temperature", temperature: 2, lossWeights: "uncertainty", gradientSurgery: "pcgrad" }),
 * )
 * ```
 *
 * The model is loaded with its tasks by name, `Model.load(path, { tasks })`, and the training split has rows of each. One
 * adapter for all tasks is the default; {@link forTasks} makes one for some of them.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { plugin, type Plugins } from "../../core/contracts/plugins.ts"
import { contributionOf } from "./contribution.ts"
import { type MultitaskOptions, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { forTasks } from "./for_tasks.ts"
export type { MultitaskOptions, OptionWithoutDefault, ResolvedOptions } from "./options.ts"

/** The mixture of a program. */
export interface MultitaskService {
  /** Options in force. */
  readonly options: ResolvedOptions
}

/** Identity of the capability. */
export interface Multitask {
  /** Nominal brand. */
  readonly "~espalier/Multitask": "~espalier/Multitask"
}
/** Key of the capability. */
export const Multitask: Context.Service<Multitask, MultitaskService> = Context.Service<Multitask, MultitaskService>(
  "@espalier/espalier/Multitask",
)

/** A mixture of tasks. Fails with {@link PluginError} on options that make no sense. */
export function layer(options: MultitaskOptions = {}): Layer.Layer<Multitask, PluginError, Plugins> {
  return plugin(
    Multitask,
    Effect.map(
      attempt(() => resolveOptions(options), PluginError),
      (resolved) => [{ options: resolved }, contributionOf(resolved)] as const,
    ),
  )
}
export { OPTIONS as options } from "./options.ts"
