/**
 * What is wrong with a run whose fields are right one by one.
 * @module
 */
import { columnProblems, columnsOf } from "./columns.ts"
import type { DataSpec, RunSpec, TaskSpec } from "./run_spec.ts"

/** Problems of fields that do not go together. */
export function problemsOf(run: RunSpec): ReadonlyArray<string> {
  const { data, task, tasks, training = {} } = run
  const all: ReadonlyArray<readonly [place: string, TaskSpec]> = [
    ...data === undefined ? [] : [["", { data, ...task === undefined ? {} : { task } }] as const],
    ...Object.entries(tasks ?? {}).map(([name, own]) => [`tasks["${name}"].`, own] as const),
  ]
  return [
    ...sourceProblems(run),
    ...oldRowsProblems(run),
    ...all.flatMap(([place, { data, task }]) => columnProblems(data, task).map((problem) => place + problem)),
    ...all.flatMap(([place, { data }]) => streamProblems(data, tasks !== undefined).map((problem) => place + problem)),
    ...training.packing ? all.flatMap(packingProblems) : [],
    ...training.patience === undefined ? [] : patienceProblems(training, all),
  ]
}

/** A run has one task, or several by name. */
function sourceProblems({ data, task, tasks }: RunSpec): ReadonlyArray<string> {
  if (tasks === undefined) {
    return data === undefined ? ["data is missing: give it, or tasks with data of their own"] : []
  }
  const names = Object.keys(tasks)
  const beside = [...data === undefined ? [] : ["data"], ...task === undefined ? [] : ["task"]]
  return [
    ...beside.map((name) => `${name} is for a run of one task, and there are tasks: put it into one of them`),
    ...names.length > 1 ? [] : [
      `tasks must be two or more, got ${JSON.stringify(names)}: of one task, give data and task in their place`,
    ],
  ]
}

function oldRowsProblems({ task, tasks, retain = {}, replay = {} }: RunSpec): ReadonlyArray<string> {
  const stray = tasks === undefined ? [] : Object.keys(retain).filter((name) => !Object.hasOwn(tasks, name))
  const kindOf = (name: string) => tasks === undefined ? task : tasks[name]?.task
  return [
    ...stray.map((name) =>
      `retain names "${name}", and the tasks are ${Object.keys(tasks!).join(", ")}: name one of them`
    ),
    ...tasks === undefined || Object.keys(replay).length === 0 ? [] : [
      "replay is for a run of one task, and there are tasks: make its rows a task of their own",
    ],
    ...!Object.hasOwn(replay, "new") ? [] : ['replay names "new", as the rows of data are named: take another name'],
    ...Object.entries({ retain, replay }).flatMap(([field, rows]) =>
      Object.entries(rows).flatMap(([name, data]) =>
        columnProblems(data, kindOf(name)).map((problem) => `${field}["${name}"].${problem}`)
      )
    ),
  ]
}

/** A stream is of one task, and no row of it can judge but those that are held out. */
function streamProblems({ stream, validation, test }: DataSpec, ofSeveral: boolean): ReadonlyArray<string> {
  if (stream !== true) return []
  return [
    ...ofSeveral ? ["data.stream is for a run of one task: leave it out"] : [],
    ...validation === 0 && test === 0
      ? ["data.stream is true, and no rows are held out to judge by: give validation or test a share"]
      : [],
  ]
}

function packingProblems([place, { data, task }]: readonly [string, TaskSpec]): ReadonlyArray<string> {
  const columns = columnsOf(data.path, task, data, data.format)
  const plain = Object.keys(columns).join() === "text" && data.messages === undefined
  const packs = plain && [undefined, "causal-lm", "span-corruption"].includes(task)
  if (packs) return []
  const found = task ?? Object.keys(columns).join(" and ")
  return [
    `training.packing is for plain texts of causal-lm or span-corruption, and ${place}data is of ${found}: leave packing out`,
  ]
}

function patienceProblems(
  { evaluateEvery }: NonNullable<RunSpec["training"]>,
  all: ReadonlyArray<readonly [string, TaskSpec]>,
): ReadonlyArray<string> {
  return [
    ...evaluateEvery !== "never" ? [] : [
      'patience counts evaluations, and evaluateEvery is "never": change one of them',
    ],
    ...all.some(([, { data }]) => data.validation !== 0) ? [] : [
      "patience counts evaluations of validation rows, and validation is 0: change one of them",
    ],
  ]
}
