import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"
import type { OptionTable, Resolved } from "../../core/options/field.ts"

/** Options of a mixture of tasks. */
export interface MultitaskOptions {
  /** Part of the plugin's id, `multitask/<name>`. Default `"default"`. */
  readonly name?: string
  /**
   * Shares of the tasks in the steps of an epoch, which has as many parts as without this plugin. `"proportional"`: every
   * row once. `"temperature"`: by rows^(1 / `temperature`) (T5, Raffel et al. 2020, section 3.5.2). `"equal"`: the same for
   * all. `"none"`: batches stay as they are, for a plugin that draws them by itself. Default `"proportional"`.
   */
  readonly mixing?: "proportional" | "temperature" | "equal" | "none"
  /** For `mixing: "temperature"`: 1 is in proportion to rows, a high one nearly equal. Default 2. */
  readonly temperature?: number
  /**
   * Parts of a step. A part has rows of one task, as many as a step without this plugin: `batchSize` times
   * `gradientAccumulationSteps`. The step's loss is the mean over the tasks that it has rows of. Default: 1; with
   * `gradientSurgery`, one for each task.
   */
  readonly partsPerStep?: number
  /**
   * Factors on the losses by task (1 where none is given), or `"uncertainty"` (Kendall, Gal and Cipolla 2018): each task
   * learns a logarithmic variance s, from 0, and its mean loss L counts as exp(-s) L + s / 2, for regression as
   * exp(-s) / 2 L + s / 2. Default: 1 for every task.
   */
  readonly lossWeights?: Readonly<Record<string, number>> | "uncertainty"
  /**
   * `"pcgrad"` (Yu et al. 2020): a task's gradient loses what points against another task's, in the parameters that all
   * tasks share; the others come in an order that is drawn for each task and step from the run's seed. Default `"none"`.
   */
  readonly gradientSurgery?: "none" | "pcgrad"
  /**
   * A task whose validation loss has not improved for this many evaluations gets no more rows; without any task left the run
   * ends. Needs a validation split. Default: never.
   */
  readonly patience?: number
}

/** Options for which absence says something. */
export type OptionWithoutDefault = "partsPerStep" | "patience" | "temperature"

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions extends Resolved<MultitaskOptions, "partsPerStep" | "patience"> {
  /** Id of the plugin: `multitask/<name>`. */
  readonly id: string
}

const weights = [
  field.byName(field.number({ exclusiveMinimum: 0 }), {}),
  field.choice(["uncertainty"], {}),
] as const

/** {@link MultitaskOptions} as a table. */
export const OPTIONS: OptionTable<MultitaskOptions, OptionWithoutDefault> = {
  name: methodName,
  mixing: field.choice(["proportional", "temperature", "equal", "none"], {
    default: "proportional",
    doc: "Shares of the tasks in an epoch",
  }),
  temperature: field.number({
    exclusiveMinimum: 0,
    absent: "2",
    doc: "For mixing by temperature: rows^(1 / temperature)",
  }),
  partsPerStep: field.integer({
    minimum: 1,
    absent: "1; with gradientSurgery, one for each task",
    doc: "Parts of a step, each with rows of one task",
  }),
  lossWeights: field.anyOf(weights, {
    default: {},
    absent: "1 for every task",
    wanted: 'numbers above 0 by task, or "uncertainty"',
    doc: "Factors on the losses by task, or learned uncertainty",
  }),
  gradientSurgery: field.choice(["none", "pcgrad"], { default: "none", doc: "Takes conflicts out of gradients" }),
  patience: field.integer({
    minimum: 1,
    absent: "never",
    doc: "Evaluations without progress of a task's loss, after which the task gets no more rows",
  }),
}

/** How parts of tasks are mixed. */
export type Mixing = Exclude<ResolvedOptions["mixing"], "none">

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: MultitaskOptions): ResolvedOptions {
  const { temperature, ...resolved } = methodOptions("multitask", OPTIONS, options)
  const { id, mixing, gradientSurgery, partsPerStep, patience } = resolved
  const demand = demandOf(id)
  demand(
    temperature === undefined || mixing === "temperature",
    "mixing",
    '"temperature" where temperature is given',
    mixing,
  )
  demand(
    mixing !== "none" || (partsPerStep ?? patience) === undefined,
    "mixing",
    "on where steps are made of parts",
    mixing,
  )
  demand(gradientSurgery === "none" || partsPerStep !== 1, "partsPerStep", "from 2 with gradientSurgery", partsPerStep)
  return { ...resolved, temperature: temperature ?? 2 }
}
