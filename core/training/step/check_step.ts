import type { Step } from "../../contracts/batch_source.ts"
import type { TaskExamples } from "../loop/training_data.ts"
import { TrainingError } from "../training_error.ts"

/** Checks a step from a source of batches, which may be a plugin's. Throws {@link TrainingError}. */
export function checkStep({ microBatches }: Step, tasks: Readonly<Record<string, TaskExamples>>): void {
  for (const { task, rows, length } of microBatches) {
    const wrong = (message: string) =>
      new TrainingError({ reason: "Batches", message: `a plugin's batches: ${message}` })
    if (!Object.hasOwn(tasks, task)) {
      throw wrong(`there is no task ${JSON.stringify(task)}; there are ${JSON.stringify(Object.keys(tasks))}`)
    }
    const { examples } = tasks[task]
    const row = rows.find((row) => !(Number.isInteger(row) && row >= -1 && row < examples.length))
    if (row !== undefined) throw wrong(`row ${row} of "${task}" must be from 0 to ${examples.length - 1}, or -1`)
    const longest = rows.reduce((most, row) => row < 0 ? most : Math.max(most, examples[row].tokens.length), 1)
    if (!Number.isInteger(length) || length < longest) {
      throw wrong(`a micro-batch of "${task}" is ${length} tokens long and has an example of ${longest}`)
    }
  }
}
