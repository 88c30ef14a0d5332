import type { TrainEvent } from "../../core/contracts/train_event.ts"

/** By task: the lowest validation loss, and evaluations since. Plain JSON. */
export type ProgressState = Readonly<Record<string, readonly [best: number, without: number]>>

/** Which tasks still improve. */
export interface Progress {
  /** Takes in an evaluation. */
  readonly observe: (event: TrainEvent) => void
  /** Whether a task has stopped improving. */
  readonly isDone: (task: string) => boolean
  /** The state, for checkpoints. */
  readonly save: () => ProgressState
  /** Replaces the state. */
  readonly restore: (state: ProgressState) => void
}

/** Follows the losses of tasks, which stop after `patience` evaluations without progress. Default: never. */
export function followProgress(patience = Infinity): Progress {
  let tasks: ProgressState = {}
  return {
    observe: (event) => {
      if (event.type !== "evaluation" || event.split !== "validation" || event.step === 0) return
      const losses = Object.entries(event.metrics).filter(([name]) => name.endsWith(".loss"))
      const now: Record<string, ProgressState[string]> = { ...tasks }
      for (const [name, loss] of losses) {
        const task = name.slice(0, -".loss".length)
        const [best, without] = tasks[task] ?? [Number.MAX_VALUE, 0]
        // A task that is done stays so.
        if (without < patience) now[task] = loss < best ? [loss, 0] : [best, without + 1]
      }
      tasks = now
    },
    isDone: (task) => (tasks[task]?.[1] ?? 0) >= patience,
    save: () => tasks,
    restore: (state) => {
      tasks = state
    },
  }
}
