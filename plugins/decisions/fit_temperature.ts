import type { JudgedPrediction } from "../../core/tasks/task.ts"
import { DecisionError } from "./decision_error.ts"

const LEAST = 1 / 32, MOST = 32, STEPS = 60

/**
 * The temperature with which probabilities fit the answers best: of least cross entropy, from 1/32 to 32 (Guo et al. 2017,
 * "On Calibration of Modern Neural Networks"). Of predictions on rows that were not trained on, made without a temperature.
 *
 * @param predictions Those of `Trainer.evaluate`.
 * @param labels Names of the options, `task.labels`.
 * @throws DecisionError where there are no answers to fit.
 */
export function fitTemperature(predictions: ReadonlyArray<JudgedPrediction>, labels: ReadonlyArray<string>): number {
  const rows = predictions.map(({ probabilities = [], expected }) => ({
    logs: probabilities.map((share) => Math.log(Math.max(share, Number.MIN_VALUE))),
    answer: labels.indexOf(expected),
  }))
  if (rows.length === 0 || rows.some(({ logs, answer }) => logs.length !== labels.length || answer < 0)) {
    throw new DecisionError({
      reason: "Question",
      message: "a temperature is fitted to predictions with their answers and probabilities",
    })
  }
  const loss = (log: number) => {
    const temperature = Math.exp(log)
    return rows.reduce((sum, { logs, answer }) => {
      const top = Math.max(...logs)
      const total = logs.reduce((all, one) => all + Math.exp((one - top) / temperature), 0)
      return sum + Math.log(total) - (logs[answer] - top) / temperature
    }, 0)
  }
  // The loss is convex in 1 / T, so it has one valley in log T: golden section.
  const ratio = (Math.sqrt(5) - 1) / 2
  let [low, high] = [Math.log(LEAST), Math.log(MOST)]
  for (let step = 0; step < STEPS; step++) {
    const [left, right] = [high - ratio * (high - low), low + ratio * (high - low)]
    if (loss(left) <= loss(right)) high = right
    else low = left
  }
  return Math.exp((low + high) / 2)
}
