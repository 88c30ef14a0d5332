import { field, methodName, methodOptions, type OptionTable, type Resolved } from "../../core/options/mod.ts"

/** Options of distillation against forgetting. */
export interface DistillOptions {
  /** Distinguishes several in one model; the plugin's id is `replay/<name>`. Default `"default"`. */
  readonly name?: string
  /** Weight of the divergence beside the loss of the task. Default 1. */
  readonly weight?: number
  /** Both distributions are of logits divided by it; the divergence counts by its square (Hinton et al. 2015). Default 1. */
  readonly temperature?: number
}

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions extends Resolved<DistillOptions> {
  /** Id of the plugin: `replay/<name>`. */
  readonly id: string
}

/** {@link DistillOptions} as a table. */
export const OPTIONS: OptionTable<DistillOptions> = {
  name: methodName,
  weight: field.number({ exclusiveMinimum: 0, default: 1, doc: "Weight of the divergence beside the task's loss" }),
  temperature: field.number({ exclusiveMinimum: 0, default: 1, doc: "Divisor of the logits of both" }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: DistillOptions): ResolvedOptions {
  return methodOptions("replay", OPTIONS, options)
}
