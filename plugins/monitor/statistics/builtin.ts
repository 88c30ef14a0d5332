import { nearest } from "../../../core/formats/json/nearest.ts"
import { MonitorError } from "../monitor_error.ts"
import { accuracyLoss, calibration } from "./judged.ts"
import { mmd } from "./kernel_two_sample.ts"
import { ks } from "./kolmogorov_smirnov.ts"
import { meanShift } from "./mean_shift.ts"
import { psi } from "./population_stability.ts"
import type { Statistic } from "./statistic.ts"

/** The statistics that a monitor has without being told, as far as the profile has their columns. */
export const STATISTICS: ReadonlyArray<Statistic> = [
  ks("length"),
  ks("unknown"),
  ks("pieces"),
  ks("confidence"),
  ks("surprise"),
  psi("label", { bins: "values" }),
  mmd(),
  meanShift(),
  accuracyLoss(),
  calibration(),
  { ...ks("loss"), judged: true },
]

/** Statistics that are known by name beside {@link STATISTICS}. */
const MORE: ReadonlyArray<Statistic> = ["length", "unknown", "pieces", "confidence", "surprise"].map((column) =>
  psi(column)
)

/** The statistics that are meant by names or values. Throws {@link MonitorError} `Statistic` for an unknown name. */
export function statisticsOf(wanted: ReadonlyArray<string | Statistic>): ReadonlyArray<Statistic> {
  const known = new Map([...STATISTICS, ...MORE].map((statistic) => [statistic.name, statistic]))
  return wanted.map((one) => {
    if (typeof one !== "string") return one
    const found = known.get(one)
    if (found !== undefined) return found
    const message = `unknown statistic "${one}"; the nearest known one is "${
      nearest(one, [...known.keys()])
    }". Known: ${[...known.keys()].join(", ")}; others are values of Statistic`
    throw new MonitorError({ reason: "Statistic", message })
  })
}
