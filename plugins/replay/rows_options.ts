import { checkOptions, field, type OptionTable, type Resolved, withDefaults } from "../../core/options/mod.ts"

/** Options of replay of old rows. */
export interface RowsOptions {
  /** Names of the training split under which the old rows are. Default `["old"]`. */
  readonly tasks?: ReadonlyArray<string>
  /** Share of the steps that have old rows, (0, 1). Default 0.2. */
  readonly share?: number
  /** Old rows of each name that are replayed: a random sample of this size, by the run's seed. Default: all. */
  readonly keep?: number
}

/** Options, checked and with defaults filled in. */
export type ResolvedRowsOptions = Resolved<RowsOptions, "keep">

/** {@link RowsOptions} as a table. */
export const ROWS_OPTIONS: OptionTable<RowsOptions, "keep"> = {
  tasks: field.list(field.text({ pattern: ".", wanted: "a name" }), {
    minItems: 1,
    default: ["old"],
    doc: "Names of the training split under which the old rows are",
  }),
  share: field.number({ exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.2, doc: "Share of steps of old rows" }),
  keep: field.integer({ minimum: 1, absent: "all", doc: "Old rows of each name that are replayed" }),
}

/** Id of the plugin. A run has one replay. */
export const ROWS_ID = "replay-rows/default"

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveRowsOptions(options: RowsOptions): ResolvedRowsOptions {
  checkOptions(ROWS_ID, ROWS_OPTIONS, options)
  return withDefaults(ROWS_OPTIONS, options)
}
