import type { Encoding } from "../../../kernels/encoding.ts"
import { DEFAULT_TASK } from "../../contracts/batch_source.ts"
import { OBJECT } from "../../options/argument.ts"
import { faultsOf, mustBe, valueFaults, withDefaults } from "../../options/check.ts"
import type { Field, Made, OptionTable, Resolved } from "../../options/field.ts"
import * as field from "../../options/fields.ts"
import { ModelError } from "../model_error.ts"
import type { TaskOf } from "../../tasks/task.ts"

/** What a model is for: one task, or several by name. */
export interface TaskOptions {
  /** What the model is for. Either this or `tasks`. */
  readonly task?: TaskOf
  /**
   * Several tasks over one trunk, each with a head of its own. A name is letters, digits, `_` and `-`; batches give it.
   * Heads lie under `heads.<name>` in the model's tree.
   */
  readonly tasks?: Readonly<Record<string, TaskOf>>
}

/** Options of {@link initialize}. */
export interface InitializeOptions extends TaskOptions {
  /** Seed of new parameters: a whole number from 0. Default 42. */
  readonly seed?: number
}
/** What frozen weights can be kept in: a number format of the engine, or an encoding of one's own. */
export type WeightEncoding = "f32" | "bf16" | "f16" | Encoding

/** Options of {@link load}. */
export interface LoadOptions extends InitializeOptions {
  /**
   * What the base's frozen matrices (two and more axes) are kept in; all else, and all that trains, is f32. `"stored"`:
   * what the file has, so that one in bf16 or f16 takes half the memory and loses nothing. Else each is rounded to the
   * nearest; a number beyond the range of f16 is an error. An encoding in blocks is for matrices whose rows are whole
   * blocks; others stay f32. Products and sums are f32 in any case. Default `"stored"`.
   */
  readonly weights?: "stored" | WeightEncoding
  /**
   * A classifier's head of the files: kept (`"stored"`; it must be for the task's labels), or left out so that one starts
   * `"new"`. What lies before it (a pooler) is kept in both cases. Of several tasks, each takes the head that was saved
   * under its name, and starts a new one where there is none. Default `"stored"`.
   */
  readonly head?: "stored" | "new"
  /**
   * Whether the base stays as it is where no plugin says what trains, to compute with the model alone: its matrices then
   * keep their encoding (see `weights`). Default false: without plugins all of it trains, in f32.
   */
  readonly frozen?: boolean
}

/** A value that no file can hold. */
const value = field.opaque<object>()({ faults: (value, at) => valueFaults(value, OBJECT, at) })

const isTask = (value: unknown): boolean => {
  const { kind, rows, objective } = (value ?? {}) as Partial<TaskOf>
  return typeof kind === "string" && Array.isArray(rows) && typeof objective === "function"
}

/** A task: of this package, or from outside. */
const task = field.opaque<TaskOf>()({
  wanted: "a task, such as Task.causalLM()",
  faults: (value, at) => isTask(value) ? [] : [mustBe(at, "a task, such as Task.causalLM()", value)],
})

/** `weights` by name. */
export const NAMED_WEIGHTS: Made<"stored" | "f32" | "bf16" | "f16", { readonly default: "stored" }> = field.choice([
  "stored",
  "f32",
  "bf16",
  "f16",
], {
  default: "stored",
  doc: "Number format of frozen matrices; stored: as in the file",
})

/** {@link InitializeOptions} as a table. */
export const INITIALIZE_OPTIONS: OptionTable<InitializeOptions, keyof TaskOptions> = {
  task,
  tasks: field.byName(task, {}),
  seed: field.integer({ minimum: 0, default: 42, doc: "Seed of new parameters" }),
}

/** {@link LoadOptions} as a table. */
export const LOAD_OPTIONS: OptionTable<LoadOptions, keyof TaskOptions> = {
  ...INITIALIZE_OPTIONS,
  weights: field.anyOf([NAMED_WEIGHTS, value as Field<Encoding>], {
    default: "stored",
    wanted: '"stored", "f32", "bf16" or "f16", or an encoding',
  }),
  head: field.choice(["stored", "new"], {
    default: "stored",
    doc: "Keep the model's own classifier, or start a new one",
  }),
  frozen: field.boolean({ default: false, doc: "Keep the base as it is where no plugin says what trains" }),
}

/** Checks options and fills in defaults. Throws {@link ModelError} that names every wrong one. */
export function resolveLoad<Options extends TaskOptions>(
  table: OptionTable<Options, keyof TaskOptions>,
  options: Options,
): Resolved<Options, keyof TaskOptions> {
  const faults = faultsOf(table, options)
  if (faults.length === 0) return withDefaults(table, options)
  throw new ModelError({ reason: "Options", message: faults.map(({ message }) => message).join("; ") })
}

/** Tasks by name; one without a name is called {@link DEFAULT_TASK}. Throws {@link ModelError}. */
export function tasksIn({ task, tasks }: TaskOptions): Readonly<Record<string, TaskOf>> {
  const wrong = (message: string) => new ModelError({ reason: "Options", message })
  if ((task === undefined) === (tasks === undefined)) throw wrong("either task or tasks must be given, and not both")
  if (tasks === undefined) return { [DEFAULT_TASK]: task! }
  const names = Object.keys(tasks)
  if (names.length === 0) throw wrong("tasks must hold one task or more, by name")
  const odd = names.find((name) => !/^[\w-]+$/.test(name))
  if (odd === undefined) return tasks
  throw wrong(`a task's name must be of letters, digits, _ and -, got ${JSON.stringify(odd)}`)
}
