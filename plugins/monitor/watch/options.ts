import { field, type OptionTable } from "../../../core/options/mod.ts"
import type { Statistic } from "../statistics/statistic.ts"

/** Options of {@link monitor}. */
export interface MonitorOptions {
  /** Names of statistics, or values of others. Default: all whose columns the profile has. */
  readonly statistics?: ReadonlyArray<string | Statistic>
  /** Rows of a window of answers, at most a quarter of the profile's. Default 100. */
  readonly window?: number
  /** Rows of a window of judged answers, at most a quarter of the profile's. Default: those of `window`. */
  readonly judgedWindow?: number
  /** Share of windows without drift that have an alarm, of each kind of windows. Default 0.01. */
  readonly falseAlarms?: number
  /** Random windows that thresholds are made from, at least 10 / `falseAlarms`. Default 2000. */
  readonly resamples?: number
  /** Seed of the random windows. Default 0. */
  readonly seed?: number
}

const isStatistic = (value: unknown): boolean =>
  typeof value === "string" || typeof (value as Partial<Statistic> | null)?.prepare === "function"

/** {@link MonitorOptions} as a table. */
export const MONITOR_OPTIONS: OptionTable<MonitorOptions, "statistics"> = {
  statistics: field.opaque<ReadonlyArray<string | Statistic>>()({
    absent: "all whose columns the profile has",
    doc: "Names of statistics, or values of others",
    faults: (value, at) =>
      Array.isArray(value) && value.length > 0 && value.every(isStatistic)
        ? []
        : [{ at, message: `${at} must be a list of names or statistics, at least one` }],
  }),
  window: field.integer({ minimum: 10, default: 100, doc: "Rows of a window of answers" }),
  judgedWindow: field.integer({
    minimum: 10,
    default: ({ window }) => window as number,
    absent: "those of window",
    doc: "Rows of a window of judged answers",
  }),
  falseAlarms: field.number({
    exclusiveMinimum: 0,
    maximum: 0.2,
    default: 0.01,
    doc: "Share of windows without drift that have an alarm, of each kind of windows",
  }),
  resamples: field.integer({ minimum: 100, default: 2000, doc: "Random windows that thresholds are made from" }),
  seed: field.integer({ minimum: 0, default: 0, doc: "Seed of the random windows" }),
}
