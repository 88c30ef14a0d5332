import * as Data from "effect/Data"

/** Fields of a {@link MonitorError}. */
export interface MonitorErrorFields {
  /**
   * Kind of failure. `Options`: an option makes no sense. `Profile`: a file that is no profile, or rows that give none.
   * `Window`: too few rows for a window, or for its thresholds. `Statistic`: a name that no statistic has, or one whose
   * columns the profile lacks. `Observation`: a row lacks a number that a statistic reads. `Rows`: rows that cannot be
   * trained on. `Retrain`: a run or its evaluation failed. `Log`: a log that is damaged, or of another monitor.
   */
  readonly reason: "Options" | "Profile" | "Window" | "Statistic" | "Observation" | "Rows" | "Retrain" | "Log"
  /** What was given, what is allowed, what to do. */
  readonly message: string
  /** The failure below. */
  readonly cause?: unknown
}

/** A monitor cannot be made or go on. */
export class MonitorError extends Data.Error<MonitorErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "MonitorError" = "MonitorError"
  /** Shown in stack traces. */
  override readonly name: string = "MonitorError"
}

/** Throws a {@link MonitorError} `Options` with all faults of options. */
export function refuse(faults: ReadonlyArray<{ readonly message: string }>): void {
  if (faults.length === 0) return
  throw new MonitorError({ reason: "Options", message: faults.map(({ message }) => message).join("; ") })
}
