import type { TaskOf } from "../../tasks/task.ts"
import type { Ties } from "../../weights/weight_map.ts"
import type { Network } from "../network.ts"

/** What a task has of a model for itself. */
export interface ModelTask {
  /** The task. */
  readonly task: TaskOf
  /** Trunk and head, with names of their own: those of a model that has this task alone. */
  readonly network: Network
  /** Tied parameters that the files bear out, by the network's names. */
  readonly tied: Ties
  /** The `config.json` of a model that has this task alone. */
  readonly config: Readonly<Record<string, unknown>>
  /**
   * Paths in the model by those in the network: modules of the head lie under `heads.<task>`. Absent where the model's
   * names are the network's.
   */
  readonly paths?: ReadonlyMap<string, string>
}

/** A model's tasks, as far as most code needs them. */
export interface Tasks {
  /** Tasks by name; `paths` where names are those of heads. */
  readonly tasks: Readonly<Record<string, Pick<ModelTask, "task" | "paths">>>
}

/** Field of a `config.json` with what the configs of the tasks' own models have beside it, by the names of the tasks. */
export const TASKS_FIELD = "espalier_tasks"

/** Path of a module of a task's head, or name of its parameter, in a model of several tasks. */
export const headPath = (task: string, path: string): string => `heads.${task}.${path}`

/** What is wrong with a model of several tasks where one is wanted; undefined of a model of one. */
export function severalTasks({ tasks }: Tasks, what: string): string | undefined {
  const names = Object.keys(tasks)
  if (Object.values(tasks).every(({ paths }) => paths === undefined)) return undefined
  return `${what} is for one task, and the model has ${JSON.stringify(names)}: give it model.view({ task: "${
    names[0]
  }" })`
}
