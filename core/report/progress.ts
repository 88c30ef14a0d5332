/**
 * Progress of a run: on a terminal a line that is redrawn, elsewhere (a file, a CI log) a plain line now and then. No
 * library for progress bars is used: they bring timers and control the terminal.
 * @module
 */
import type { TrainEvent, TrainStep } from "../contracts/train_event.ts"
import { formatCount, formatMetric, formatSeconds } from "./format.ts"
import { trainableParametersLine } from "./trainable_parameters.ts"

/** Output of {@link showProgress}. */
export interface ProgressOutput {
  /** True for a terminal, where a line can be redrawn. */
  readonly isTerminal: boolean
  /** Width of the terminal. */
  readonly columns: number
  /** Writes text unchanged. */
  readonly write: (text: string) => void
  /** A monotonic clock in milliseconds, such as `performance.now`. */
  readonly now: () => number
}

const redrawMilliseconds = 100
const plainMilliseconds = 10_000
const eraseLine = "\r\x1b[2K"

function bar(share: number, width: number): string {
  const done = Math.round(share * width)
  return "█".repeat(done) + "░".repeat(width - done)
}

function describeStep(event: TrainStep): string {
  const speed = formatCount(event.tokensPerSecond)
  const figures = Object.entries(event.figures ?? {}).map(([name, value]) => `${name} ${formatMetric(value)}  `)
  return `step ${event.step}/${event.totalSteps}  loss ${event.loss.toFixed(4)}  ${
    figures.join("")
  }${speed} tokens/s  ` +
    `${formatSeconds(event.secondsLeft)} left`
}

/** Text of an event; undefined for one that is not shown. */
function describe(event: Exclude<TrainEvent, TrainStep>): string | undefined {
  switch (event.type) {
    case "start": {
      const from = event.resumedFrom === undefined ? "" : `, resumed after step ${event.resumedFrom}`
      return `${trainableParametersLine(event.trainableParameters, event.totalParameters)}\n` +
        `${event.totalSteps} steps over ${formatCount(event.trainExamples)} examples${from}`
    }
    case "evaluation": {
      const metrics = Object.entries(event.metrics).map(([name, value]) => `${name} ${formatMetric(value)}`)
      return `${event.split} after step ${event.step}: ${metrics.join("  ")}`
    }
    case "message":
      return event.level === "warning" ? `warning: ${event.text}` : event.text
    case "stop":
      return `${event.reason} after step ${event.step} in ${formatSeconds(event.seconds)}` +
        (event.bestStep === undefined ? "" : `, with the weights of step ${event.bestStep}`)
    case "checkpoint":
      return undefined
  }
}

/** Makes a function that shows events on `output`. */
export function showProgress(output: ProgressOutput): (event: TrainEvent) => void {
  let drawn = ""
  let shownAt = -Infinity
  let shownTenth = 0

  function drawStep(event: TrainStep): void {
    const share = event.step / event.totalSteps
    const isLast = event.step === event.totalSteps
    const elapsed = output.now() - shownAt
    const tenth = Math.floor(10 * share)
    if (output.isTerminal) {
      if (elapsed < redrawMilliseconds && !isLast) return
      const text = describeStep(event)
      const room = output.columns - text.length - 2
      // A line over the full width would wrap and could not be redrawn.
      drawn = (room >= 10 ? `${bar(share, Math.min(room - 1, 30))}  ${text}` : text).slice(0, output.columns - 1)
      output.write(eraseLine + drawn)
    } else {
      if (elapsed < plainMilliseconds && tenth === shownTenth && !isLast) return
      output.write(`${describeStep(event)}\n`)
    }
    shownAt = output.now()
    shownTenth = tenth
  }

  return (event) => {
    if (event.type === "step") return drawStep(event)
    const text = describe(event)
    if (text === undefined) return
    if (drawn === "") return output.write(`${text}\n`)
    // The bar stays below messages, and above the last line of the run.
    if (event.type === "stop") {
      output.write(`\n${text}\n`)
      drawn = ""
    } else {
      output.write(`${eraseLine}${text}\n${drawn}`)
    }
  }
}
