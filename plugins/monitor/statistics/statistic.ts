import type { Sample } from "../profile/sample.ts"

/** A statistic for one reference. */
export interface Prepared {
  /** How far a window is from the reference; larger is further. */
  readonly measure: (window: Sample) => number
  /** The same of some rows of the reference against its other rows: what thresholds are made from. */
  readonly split: (rows: Int32Array) => number
  /**
   * Threshold for windows of so many rows where all splits are equal, since the reference has one value alone: `level` is
   * the share of windows that may be above it. Default: the statistic is not watched then.
   */
  readonly bound?: (level: number, window: number) => number
}

/** Something that grows as a window of answers departs from a reference. Packages can add their own. */
export interface Statistic {
  /** Name in options, reports and logs, such as `"ks length"`. */
  readonly name: string
  /** Columns that it reads; `"embedding"` is one. */
  readonly columns: ReadonlyArray<string>
  /** Whether it reads judged answers, which have windows of their own. Default false. */
  readonly judged?: boolean
  /** Does once what all windows share. */
  readonly prepare: (reference: Sample) => Prepared
}

/** Which rows of a reference are in a window, as flags [rows]. */
export function flagsOf(rows: Int32Array, count: number): Uint8Array {
  const flags = new Uint8Array(count)
  for (const row of rows) flags[row] = 1
  return flags
}
