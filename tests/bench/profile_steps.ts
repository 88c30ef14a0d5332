/**
 * The profile of a step from several traced ones, so that one reading on a busy machine does not decide.
 * @module
 */
import { profileTable, type StepTrace } from "../../core/report/profile.ts"
import { median } from "./contest.ts"

/** Collects traces; with each one the table of all of them so far goes to the file. */
export const profileTo = (file: string): (trace: StepTrace) => Promise<void> => {
  const traces: Array<StepTrace> = []
  return async (trace) => {
    traces.push(trace)
    await Deno.writeTextFile(file, `${profileTable(typical(traces))}\n`)
  }
}

/** A step whose times are the medians of those of steps that ran the same programs. */
export const typical = (traces: ReadonlyArray<StepTrace>): StepTrace => {
  const [first] = traces
  return {
    ...first,
    milliseconds: median(traces.map(({ milliseconds }) => milliseconds)),
    runs: first.runs.map((run, i) => ({
      ...run,
      times: run.times.map((time, j) => {
        const spans = traces.map(({ runs }) => runs[i].times[j]).map(({ start, end }) => end - start)
        return { ...time, start: 0, end: median(spans) }
      }),
    })),
  }
}
