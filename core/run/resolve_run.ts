import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import { type Columns, type DatasetOptions, formatOf, type Paths, type Reader } from "../tasks/dataset/dataset.ts"
import { withDefaults } from "../options/check.ts"
import type { Resolved } from "../options/field.ts"
import type { TrainOptions } from "../training/options.ts"
import { columnsOf, type Kind, namesNone } from "./columns.ts"
import type { MethodSpec } from "./methods.ts"
import {
  DATA,
  type GroupWords,
  MODEL,
  type ModelSpec,
  type OldRowsSpec,
  type RunSpec,
  type TaskSpec,
  TRAINING,
} from "./run_spec.ts"

/** The rows of a task, with defaults. */
export interface ResolvedData {
  /** The file, or several. */
  readonly path: Paths
  /** Its columns. */
  readonly columns: Columns
  /** How chats are read, which `Chat.prepared` gives columns of. */
  readonly chat: {
    /** Column of lists of messages. Default: it is not named. */
    readonly messages?: string
    /** Whether no column is named, so that the file may hold chats. */
    readonly possible: boolean
    /** The answers that are trained on. Default: all. */
    readonly turns?: "all" | "last"
    /** A file with another chat template than the model's. Default: the model's. */
    readonly template?: string
  }
  /** How the file is read; labels, if they are given. */
  readonly reading: DatasetOptions
  /** Share of the rows for validation. */
  readonly validation: number
  /** Share of the rows for the test. */
  readonly test: number
  /** Rows in memory at a time, where rows are read while the model trains. Default: all rows are in memory. */
  readonly window?: number
  /** What the task is. Default: given by the columns. */
  readonly task?: Kind
}

/** A run with its defaults. */
export interface ResolvedRun {
  /** The base model. */
  readonly model: Resolved<ModelSpec>
  /** Rows of one task, or of several by name. */
  readonly data: { readonly one: ResolvedData } | { readonly several: Readonly<Record<string, ResolvedData>> }
  /** Old rows by name, on which the model is judged before and after. */
  readonly retain: Readonly<Record<string, ResolvedData>>
  /** Old rows by name that are trained on beside those of the one task. */
  readonly replay: Readonly<Record<string, ResolvedData>>
  /** Plain text on which a language model is judged before and after; `"none"`: it is not. Default: that of the package. */
  readonly generalText?: string
  /** Groups of people whose words are swapped for the report; true for the lists of the program. Default: none. */
  readonly balance?: true | GroupWords
  /** Methods. */
  readonly methods: ReadonlyArray<MethodSpec>
  /** Options of training. */
  readonly training: TrainOptions & { readonly maxLength: number }
  /** Stop after this many evaluations without progress. Default: never. */
  readonly patience?: number
  /** Seed of split, new weights and order. */
  readonly seed: number
  /** The run folder. */
  readonly output: string
}

/**
 * Fills in the defaults of a run that has no problems.
 *
 * @param folder Base of relative paths. Default: the current directory.
 * @param readers Readers beside those of this package. Default: none.
 */
export function resolveRun(
  run: RunSpec,
  folder = "",
  readers: ReadonlyArray<Reader> = [],
): Effect.Effect<ResolvedRun, never, Path.Path> {
  return Effect.map(Effect.service(Path.Path), (path) => {
    // A scheme ("hf:") makes a name that is no path.
    const isWhole = (place: string) => path.isAbsolute(place) || /^\w{2,}:/.test(place)
    const at = (place: string) => isWhole(place) || folder === "" ? place : path.join(folder, place)
    const { data, task, tasks, retain = {}, replay = {}, generalText, balance = false, methods, seed = 42, output } =
      run
    const model = withDefaults(MODEL, run.model)
    const { patience, ...training } = withDefaults(TRAINING, run.training ?? {})
    const resolve = (own: TaskSpec) => resolveData(own, at, readers)
    const kind = (name?: string) => {
      const own = name === undefined || tasks === undefined ? task : tasks[name].task
      return own === undefined ? {} : { task: own }
    }
    const resolveOld = (data: OldRowsSpec, name: string) =>
      resolve({ data: { ...data, validation: 0, test: 0 }, ...kind(name) })
    return {
      model: { ...model, path: at(model.path) },
      data: tasks === undefined ? { one: resolve({ data: data!, ...kind() }) } : { several: mapped(tasks, resolve) },
      retain: mapped(retain, resolveOld),
      replay: mapped(replay, resolveOld),
      ...generalText === undefined ? {} : { generalText: generalText === "none" ? generalText : at(generalText) },
      ...balance === false ? {} : { balance },
      methods,
      training,
      ...patience === undefined ? {} : { patience },
      seed,
      output: at(output),
    }
  })
}

function mapped<A, B>(values: Readonly<Record<string, A>>, of: (value: A, name: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, of(value, name)]))
}

function resolveData(
  { data, task }: TaskSpec,
  at: (place: string) => string,
  readers: ReadonlyArray<Reader>,
): ResolvedData {
  const { path, validation, test, stream, window, ...given } = withDefaults(DATA, data)
  const { text, label, separator, prompt, completion, source, target, words, tags, messages, ...rest } = given
  const { turns, template, ...reading } = rest
  const names = { text, label, separator, prompt, completion, source, target, words, tags, messages }
  return {
    path: typeof path === "string" ? at(path) : path.map(at),
    columns: columnsOf(path, task, names, reading.format ?? formatOf(path, readers)),
    chat: {
      ...messages === undefined ? {} : { messages },
      possible: namesNone(names) && (task === undefined || task === "causal-lm"),
      ...turns === undefined ? {} : { turns },
      ...template === undefined ? {} : { template: at(template) },
    },
    reading: { ...reading, ...readers.length === 0 ? {} : { readers } },
    validation,
    test,
    ...stream ? { window } : {},
    ...task === undefined ? {} : { task },
  }
}
