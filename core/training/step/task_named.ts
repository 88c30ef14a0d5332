import { severalTasks, type Tasks } from "../../model/heads/model_task.ts"
import type { Model } from "../../model/model.ts"
import type { TaskOf } from "../../tasks/task.ts"
import { TrainingError } from "../training_error.ts"

const wrong = (message: string) => new TrainingError({ reason: "Options", message })

/** Whether a model's tasks have heads of their own. A model of one task without a name takes data under any names. */
export const hasNamedTasks = ({ tasks }: Tasks): boolean =>
  Object.values(tasks).some(({ paths }) => paths !== undefined)

/** The task that batches of a name belong to. Throws {@link TrainingError}. */
export function taskNamed(model: Tasks, name: string): TaskOf {
  const { tasks } = model
  if (!hasNamedTasks(model)) return Object.values(tasks)[0].task
  if (Object.hasOwn(tasks, name)) return tasks[name].task
  throw wrong(`there is no task ${JSON.stringify(name)}; the model has ${JSON.stringify(Object.keys(tasks))}`)
}

/** The model that examples of a name go through when they are judged. */
export const modelOf = (model: Model, name: string): Model => hasNamedTasks(model) ? model.view({ task: name }) : model

/** Throws {@link TrainingError} for a model of several tasks. */
export function checkOneTask(model: Tasks, what: string): void {
  const message = severalTasks(model, what)
  if (message !== undefined) throw wrong(message)
}
