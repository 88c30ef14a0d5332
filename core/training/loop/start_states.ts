/**
 * The pass over rows by which gradient transforms fill their states before the first step. Imported when a plugin asks for
 * it, so that it is no part of a page's first load.
 * @module
 */
import { type Ready, ready } from "../../backend/ready.ts"
import type { Gradients, StateStart } from "../../contracts/gradient_transform.ts"
import { batchData, batchInputs, shapeName } from "../../data/batches/batch_inputs.ts"
import { type Batch, collate, makeBatches } from "../../data/batches/batches.ts"
import type { Graph } from "../../graph/build.ts"
import { gradients as differentiate } from "../../graph/rewrite/gradients.ts"
import type { Model } from "../../model/model.ts"
import { batchSum, full, mul, slot, type SlotReference } from "../../tensor/ops.ts"
import type { Plan } from "../plan.ts"
import type { Session } from "../session.ts"
import { transformKey } from "../step/step_graphs.ts"
import { TrainingError } from "../training_error.ts"

/** A run that is about to start. */
export interface StartRun {
  readonly model: Pick<Model, "backend" | "forward">
  readonly session: Pick<Session, "slots">
  readonly plan: Pick<Plan, "contributions" | "parameters" | "retained" | "taskOf"> & {
    readonly session: Pick<Plan["session"], "prepare">
    readonly evaluation: Pick<Plan["evaluation"], "padId">
  }
  /** Examples of a batch; each has a gradient of its own in memory. */
  readonly batchSize: number
}

type States = Readonly<Record<string, SlotReference>>

/** Fills the states of transforms that have a `start`. Rejects with {@link TrainingError} where their rows are missing. */
export async function startStates(run: StartRun): Promise<void> {
  for (const { id, gradients = {} } of run.plan.contributions) {
    for (const stage of ["task", "total"] as const) {
      const start = gradients[stage]?.start
      if (start === undefined) continue
      const prefix = `transform/${transformKey(id, stage)}/`
      const own = run.session.slots.filter(({ name }) => name.startsWith(prefix))
      await pass(run, id, start, Object.fromEntries(own.map(({ name, slot }) => [name.slice(prefix.length), slot])))
    }
  }
}

async function pass(run: StartRun, id: string, start: StateStart, states: States): Promise<void> {
  const { model: { backend }, plan: { retained, taskOf, evaluation }, batchSize } = run
  const missing = start.rows.filter((name) => !Object.hasOwn(retained, name))
  if (missing.length > 0) {
    const message = `${id} reads the rows ${JSON.stringify(missing)} before the first step, and retain has only ${
      JSON.stringify(Object.keys(retained))
    }`
    throw new TrainingError({ reason: "Options", message })
  }
  const total = start.rows.reduce((sum, name) => sum + retained[name].examples.length, 0)
  const programs = new Map<string, Ready>()
  try {
    for (const name of start.rows) {
      const { examples } = retained[name]
      const maxLength = examples.reduce((most, { tokens }) => Math.max(most, tokens.length), 1)
      const size = Math.min(batchSize, examples.length)
      const { epoch } = makeBatches(examples, { batchSize: size, maxLength, shuffle: false })
      for (const microBatch of epoch(0).flatMap(({ microBatches }) => microBatches)) {
        const batch = collate(examples, microBatch, taskOf(name), evaluation.padId)
        const key = `${name} ${shapeName(batch)}`
        const program = programs.get(key) ??
          await ready(backend, startGraph(run, start, states, { name, batch, total }))
        programs.set(key, program)
        await program.run(batchData(batch))
      }
    }
  } finally {
    programs.forEach(({ dispose }) => dispose())
  }
}

/** Updates of the states by one batch of rows. */
function startGraph(
  { model, plan: { parameters, taskOf, session } }: StartRun,
  start: StateStart,
  states: States,
  { name, batch: { shape: [rows, length], targetLength }, total }: {
    readonly name: string
    readonly batch: Batch
    readonly total: number
  },
): Graph {
  const task = taskOf(name)
  const given = batchInputs(name, rows, length, task, targetLength)
  const batch = session.prepare?.(given, [full(0, [], "i32"), full(0, [], "i32")]) ?? given
  const none = () => {
    throw new Error("The loss of a task has no parameters")
  }
  const outputs = model.forward(batch, { training: false })
  const { loss } = task.objective({ batch, outputs, base: none, parameter: none, trained: [] })
  const tensors = parameters.map(({ tensor }) => tensor)
  const found = differentiate(batchSum(mul(loss, batch.exampleWeight)), tensors, { perExample: true })
  const byKey = <A>(values: ReadonlyArray<A>) => new Map(parameters.map(({ key }, i) => [key, values[i]]))
  const current = Object.fromEntries(Object.entries(states).map(([own, reference]) => [own, slot(reference)]))
  const gradients: Gradients = byKey(found)
  const next = start.update(gradients, current, { parameters: byKey(tensors), examples: total })
  return { name: "start", outputs: {}, updates: Object.entries(states).map(([own, slot]) => [slot, next[own]]) }
}
