import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { BatchContext, BatchSource, Json, MicroBatch, Step } from "../../core/contracts/batch_source.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { mixedOrder, partsByTask, type TaskSize } from "./mixing.ts"
import type { Mixing, ResolvedOptions } from "./options.ts"
import type { Progress, ProgressState } from "./progress.ts"

/** The next part of a task: the pass over its rows, from 0, and the part in it. */
type Cursor = readonly [pass: number, part: number]

/** Plain JSON. */
interface MixtureState {
  readonly cursors: Readonly<Record<string, Cursor>>
  readonly progress: ProgressState
}

/** Options of a mixture that is on. */
interface MixtureOptions extends Omit<ResolvedOptions, "mixing"> {
  readonly mixing: Mixing
}

/** Rows of one task. */
type Part = ReadonlyArray<MicroBatch>

/**
 * Draws parts of the tasks in their shares. Each task goes through its own rows in the order of the source inside, pass by
 * pass, whatever its share: no row comes again before all of the task have come.
 */
export function mixedBatches(
  next: BatchSource,
  { rng }: BatchContext,
  options: MixtureOptions,
  progress: Progress,
): BatchSource {
  const { id } = options
  const names = Object.keys(next.tasks)
  const total = next.steps(0)
  check(next, names, options)
  const { partsPerStep = options.gradientSurgery === "none" ? 1 : names.length } = options
  let cursors: Readonly<Record<string, Cursor>> = Object.fromEntries(names.map((name) => [name, [0, 0]]))

  const passes = new Map<string, { readonly pass: number; readonly parts: ReadonlyArray<Part> }>()
  /** The parts of a pass over a task's rows. */
  const partsOf = (task: string, pass: number): Effect.Effect<ReadonlyArray<Part>, Error> =>
    Effect.gen(function* () {
      const known = passes.get(task)
      if (known?.pass === pass) return known.parts
      const parts: Array<Part> = []
      for (let step = 0; step < next.steps(pass); step++) {
        const drawn = yield* next.next({ epoch: pass, step }, [])
        const own = drawn?.microBatches.filter((one) => one.task === task) ?? []
        if (own.length > 0) parts.push(own)
      }
      passes.set(task, { pass, parts })
      return parts
    })

  let order: { readonly key: string; readonly tasks: ReadonlyArray<string> } | undefined
  /** Tasks of an epoch's parts: the same whenever it is asked for. */
  const orderOf = (epoch: number, active: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, Error> =>
    Effect.gen(function* () {
      const key = JSON.stringify([epoch, active])
      if (order?.key === key) return order.tasks
      const sizes: Record<string, TaskSize> = {}
      for (const name of active) {
        sizes[name] = { rows: next.tasks[name].length, parts: (yield* partsOf(name, cursors[name][0])).length }
      }
      order = { key, tasks: mixedOrder(partsByTask(sizes, total, options), rng(epoch)) }
      return order.tasks
    })

  const draw = (epoch: number, step: number): Effect.Effect<Step | undefined, Error> =>
    Effect.gen(function* () {
      const active = names.filter((name) => !progress.isDone(name))
      if (active.length === 0) return undefined
      const tasks = (yield* orderOf(epoch, active)).slice(step * partsPerStep, (step + 1) * partsPerStep)
      const moved: Record<string, Cursor> = { ...cursors }
      const microBatches: Array<MicroBatch> = []
      for (const task of tasks) {
        const [pass, part] = moved[task]
        const parts = yield* partsOf(task, pass)
        microBatches.push(...parts[part])
        moved[task] = part + 1 < parts.length ? [pass, part + 1] : [pass + 1, 0]
      }
      cursors = moved
      return { microBatches }
    })

  return {
    tasks: next.tasks,
    steps: () => Math.ceil(total / partsPerStep),
    next: ({ epoch, step }) => {
      const own = draw(epoch, step)
      const now = Effect.runSyncExit(own)
      return Exit.isSuccess(now) ? now : own
    },
    state: {
      save: (): Json => ({ cursors, progress: progress.save() }) as unknown as Json,
      restore: (state) => {
        const saved = state as unknown as MixtureState
        const sound = names.every((name) => saved?.cursors?.[name]?.every((number) => Number.isSafeInteger(number)))
        if (!sound) {
          throw pluginError(id, `this is no state of a mixture of ${JSON.stringify(names)}: ${JSON.stringify(state)}`)
        }
        cursors = saved.cursors
        progress.restore(saved.progress)
      },
    },
  }
}

/** Throws PluginError where there is nothing to mix. */
function check(next: BatchSource, names: ReadonlyArray<string>, { id }: MixtureOptions): void {
  if (names.length < 2) {
    throw pluginError(
      id,
      `it mixes tasks, and the training split has ${
        names.length === 0 ? "none" : `one, ${JSON.stringify(names[0])}`
      }: ` +
        "give the rows of each task under its name, train: { one: ..., other: ... }, or leave the plugin out",
    )
  }
  const empty = names.filter((name) => next.tasks[name].length === 0)
  if (empty.length > 0) {
    throw pluginError(id, `there are no rows of ${JSON.stringify(empty)}: give some, or leave the task out`)
  }
  if (next.state !== undefined || next.steps(0) === Infinity) {
    throw pluginError(
      id,
      "it takes the rows of each task in its own order, and another plugin's batches come in one that it cannot " +
        'divide: give mixing: "none", or leave that plugin out',
    )
  }
}
