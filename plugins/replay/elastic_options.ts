import { checkOptions, field, type OptionTable, type Resolved, withDefaults } from "../../core/options/mod.ts"

/** Options of elastic weight consolidation. */
export interface ElasticOptions {
  /** Weight of the penalty, from 0. The larger, the nearer the weights stay. It must be given: it depends on the task. */
  readonly lambda: number
  /** Names of the run's `retain` under which the old rows are. Default `["old"]`. */
  readonly rows?: ReadonlyArray<string>
}

/** Options, checked and with defaults filled in. */
export type ResolvedElasticOptions = Resolved<ElasticOptions>

/** {@link ElasticOptions} as a table. */
export const ELASTIC_OPTIONS: OptionTable<ElasticOptions> = {
  lambda: field.number({ minimum: 0, required: true, doc: "Weight of the penalty" }),
  rows: field.list(field.text({ pattern: ".", wanted: "a name" }), {
    minItems: 1,
    default: ["old"],
    doc: "Names of the run's retain under which the old rows are",
  }),
}

/** Id of the plugin. A run has one. */
export const ELASTIC_ID = "replay-elastic/default"

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveElasticOptions(options: ElasticOptions): ResolvedElasticOptions {
  checkOptions(ELASTIC_ID, ELASTIC_OPTIONS, options)
  return withDefaults(ELASTIC_OPTIONS, options)
}
