import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Model } from "../../model/model.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { attempt, attemptPromise, type Known } from "../loop/attempt.ts"
import type { Plan } from "../plan.ts"
import type { BatchPipeline } from "../step/batch_pipeline.ts"
import {
  type CheckpointFailure,
  listCheckpoints,
  loadCheckpoint,
  readTrainerState,
  saveCheckpoint,
  type TrainerState,
} from "./checkpoint.ts"
import type { RunFolder } from "./run_folder.ts"
import type { Session } from "../session.ts"
import { FRESH, type Start } from "./start.ts"
import { TrainingError } from "../training_error.ts"

/** Checkpoints of one run. */
export interface RunCheckpoints {
  /** Saves a checkpoint unless this step has one; returns its path in the run folder. */
  readonly save: (
    state: Omit<TrainerState, "batches">,
  ) => Effect.Effect<string | undefined, CheckpointFailure, FileSystem.FileSystem>
  /** Path of the last checkpoint. */
  readonly last: () => string | undefined
  /** With `resume`, restores the last checkpoint, if there is one. */
  readonly start: (resume: boolean) => Effect.Effect<Start, CheckpointFailure | Known, FileSystem.FileSystem>
}

export function makeRunCheckpoints(
  { backend }: Model,
  { parameters, batches }: Plan,
  session: Session,
  folder: RunFolder,
): RunCheckpoints {
  const directory = folder.checkpoints
  let saved: number | undefined
  const bestOf = (mark: TrainerState["best"]) =>
    Effect.gen(function* () {
      if (mark === undefined) return undefined
      const values = parameters.map((parameter) => ({ parameter, data: new Float32Array(sizeOf(parameter.shape)) }))
      const byName = new Map(values.map(({ parameter, data }) => [`parameter/${parameter.key}`, data]))
      const wanted = session.slots.filter(({ name }) => byName.has(name))
      const keep = (name: string, data: Float32Array, offset: number) => byName.get(name)!.set(data, offset)
      yield* loadCheckpoint(directory, mark.step, wanted, keep, { all: false })
      return { ...mark, values }
    })
  return {
    save: (state) =>
      Effect.gen(function* () {
        if (saved === state.step) return undefined
        const states = Object.fromEntries([...batches.states].map(([id, own]) => [id, own.save()]))
        yield* saveCheckpoint(directory, backend, session.slots, { ...state, batches: states })
        saved = state.step
        return `checkpoints/step-${state.step}`
      }),
    last: () => saved === undefined ? undefined : `${directory}/step-${saved}`,
    start: (resume) =>
      Effect.gen(function* () {
        if (resume) saved = (yield* listCheckpoints(directory)).at(-1)
        if (saved === undefined) return FRESH
        const state = yield* readTrainerState(directory, saved)
        const slots = new Map(session.slots.map(({ name, slot }) => [name, slot]))
        const write = (name: string, data: Float32Array, offset: number) =>
          backend.write(slots.get(name)!, data, offset)
        yield* loadCheckpoint(directory, saved, session.slots, write, { all: true })
        yield* attemptPromise(() => session.restore({ state, values: {} }))
        yield* attempt(() => restoreStates(batches.states, state.batches))
        return { state, best: yield* bestOf(state.best), resumedFrom: saved }
      }),
  }
}

/** Restores the states of sources of batches. Throws {@link TrainingError} if one is missing or wrong. */
function restoreStates(states: BatchPipeline["states"], saved: TrainerState["batches"]): void {
  for (const [id, state] of states) {
    try {
      if (!Object.hasOwn(saved, id)) throw new Error("the checkpoint has none")
      state.restore(saved[id])
    } catch (error) {
      const message = `cannot restore the state of the batches of "${id}": ${(error as Error).message}`
      throw new TrainingError({ reason: "Checkpoint", message })
    }
  }
}
