import type * as Effect from "effect/Effect"
import { attempt } from "../../../core/contracts/attempt.ts"
import { faultsOf, withDefaults } from "../../../core/options/mod.ts"
import { MonitorError, refuse } from "../monitor_error.ts"
import type { Profile } from "../profile/profile.ts"
import { EMBEDDING, type Observation, sampleOf } from "../profile/sample.ts"
import { STATISTICS, statisticsOf } from "../statistics/builtin.ts"
import type { Statistic } from "../statistics/statistic.ts"
import { MONITOR_OPTIONS, type MonitorOptions } from "./options.ts"
import { thresholdsOf } from "./thresholds.ts"

/** Answers as they come, or answers that were judged later: they have windows of their own. */
export type WindowKind = "live" | "judged"

/** A full window beside the reference. Plain JSON, without any text. */
export interface WindowReport {
  /** Which windows. */
  readonly kind: WindowKind
  /** Number of the window among those of its kind, from 1. */
  readonly window: number
  /** Its rows. */
  readonly rows: number
  /** Each statistic by name. */
  readonly values: Readonly<Record<string, number>>
  /** Names of the statistics above their threshold; empty where nothing is wrong. */
  readonly alarms: ReadonlyArray<string>
}

/** Compares what a model answers with the profile of its run. */
export interface Monitor {
  /** Threshold of each statistic by name; `Infinity` for one that cannot be watched, as the reference has one value alone. */
  readonly thresholds: Readonly<Record<string, number>>
  /** Columns of answers that statistics read; `embedding` among them takes a second pass through the model. */
  readonly columns: ReadonlySet<string>
  /** Takes answers; gives a report of each window that they fill. Throws {@link MonitorError} `Observation`. */
  readonly observe: (observations: ReadonlyArray<Observation>) => ReadonlyArray<WindowReport>
  /** The same for answers that were judged: with `correct`, and what else the statistics of judged answers read. */
  readonly judge: (observations: ReadonlyArray<Observation>) => ReadonlyArray<WindowReport>
}

/**
 * Makes a monitor for a profile. Thresholds come from random windows of the profile's rows, so that of windows without drift
 * `falseAlarms` have an alarm, for live and for judged windows each. Rows of a window that is not full yet are in memory
 * alone, as numbers.
 *
 * Fails with {@link MonitorError} before any work: `Options`; `Statistic` for an unknown name or one whose columns the
 * profile lacks; `Window` where the profile has fewer than four windows of rows.
 */
export function monitor(profile: Profile, options: MonitorOptions = {}): Effect.Effect<Monitor, MonitorError> {
  return attempt(() => {
    refuse(faultsOf(MONITOR_OPTIONS, options))
    const settings = withDefaults(MONITOR_OPTIONS, options)
    const statistics = settings.statistics === undefined
      ? STATISTICS.filter(({ columns }) => lacks(profile, columns).length === 0)
      : chosen(profile, settings.statistics)
    if (settings.falseAlarms * settings.resamples < 10) {
      const message = `resamples must be at least ${
        Math.ceil(10 / settings.falseAlarms)
      } for falseAlarms ${settings.falseAlarms}, got ${settings.resamples}: a threshold needs ten windows above it`
      throw new MonitorError({ reason: "Options", message })
    }
    const live = windows("live", profile, statistics.filter(({ judged }) => !judged), settings.window, settings)
    const judged = windows(
      "judged",
      profile,
      statistics.filter(({ judged }) => judged),
      settings.judgedWindow,
      settings,
    )
    return {
      thresholds: { ...live.thresholds, ...judged.thresholds },
      columns: live.columns,
      observe: live.take,
      judge: judged.take,
    }
  }, MonitorError)
}

const lacks = ({ sample }: Profile, columns: ReadonlyArray<string>): ReadonlyArray<string> =>
  columns.filter((name) => name === EMBEDDING ? sample.embeddings === undefined : !Object.hasOwn(sample.columns, name))

/** Throws where a statistic is unknown or reads what the profile lacks. */
function chosen(profile: Profile, wanted: ReadonlyArray<string | Statistic>): ReadonlyArray<Statistic> {
  const statistics = statisticsOf(wanted)
  for (const { name, columns } of statistics) {
    const missing = lacks(profile, columns)
    if (missing.length === 0) continue
    const has = [...Object.keys(profile.sample.columns), ...profile.sample.embeddings === undefined ? [] : [EMBEDDING]]
    const message = `the statistic "${name}" reads ${missing.join(", ")}, which the profile lacks; it has ${
      has.join(", ")
    }`
    throw new MonitorError({ reason: "Statistic", message })
  }
  return statistics
}

/** Windows of one kind. */
function windows(
  kind: WindowKind,
  { sample, labels }: Profile,
  statistics: ReadonlyArray<Statistic>,
  size: number,
  { falseAlarms, resamples, seed }: { readonly falseAlarms: number; readonly resamples: number; readonly seed: number },
): Pick<Monitor, "thresholds" | "columns"> & { readonly take: Monitor["observe"] } {
  // Nobody may watch judged answers of a profile without any.
  if (statistics.length === 0) return { thresholds: {}, columns: new Set(), take: () => [] }
  if (size > sample.rows / 4) {
    const message = `a window of ${size} ${kind} rows needs a profile of at least ${4 * size} rows, this one has ` +
      `${sample.rows}: take windows of at most ${Math.floor(sample.rows / 4)} rows, or a profile of more rows`
    throw new MonitorError({ reason: "Window", message })
  }
  const prepared = statistics.map((statistic) => statistic.prepare(sample))
  const limits = thresholdsOf(prepared, { rows: sample.rows, window: size, falseAlarms, resamples, seed })
  const columns = new Set(statistics.flatMap(({ columns }) => columns))
  const pending: Array<Observation> = []
  let done = 0
  const report = (rows: ReadonlyArray<Observation>): WindowReport => {
    const window = sampleOf(rows, columns, labels)
    const values = prepared.map(({ measure }) => measure(window))
    const named = <A>(each: ReadonlyArray<A>) => Object.fromEntries(statistics.map(({ name }, i) => [name, each[i]]))
    const alarms = statistics.filter((_, i) => values[i] > limits[i]).map(({ name }) => name)
    return { kind, window: ++done, rows: size, values: named(values), alarms }
  }
  const take = (observations: ReadonlyArray<Observation>) => {
    // Checked at once, so that a wrong row is told to whoever brings it, and none of its company is taken.
    sampleOf(observations, columns, labels)
    for (const observation of observations) pending.push(observation)
    const full: Array<WindowReport> = []
    while (pending.length >= size) full.push(report(pending.splice(0, size)))
    return full
  }
  return { thresholds: Object.fromEntries(statistics.map(({ name }, i) => [name, limits[i]])), columns, take }
}
