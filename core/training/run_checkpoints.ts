import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Model } from "../model/model.ts"
import { sizeOf } from "../tensor/shape.ts"
import { attempt, attemptPromise, type Known } from "./_attempt.ts"
import type { Plan } from "./_plan.ts"
import {
  type CheckpointFailure,
  listCheckpoints,
  loadCheckpoint,
  readTrainerState,
  saveCheckpoint,
  type TrainerState,
} from "./checkpoint.ts"
import type { RunFolder } from "./run_folder.ts"
import type { Session } from "./session.ts"
import type { Best } from "./validation.ts"

/** Where a run begins or goes on. */
export interface Start {
  readonly state: TrainerState
  readonly best: Best | undefined
  /** Step of the checkpoint that the run goes on from. */
  readonly resumedFrom: number | undefined
}

/** Checkpoints of one run. */
export interface RunCheckpoints {
  /** Saves a checkpoint, unless that of this step is there; gives its path in the run folder. Without a folder: nothing. */
  readonly save: (
    state: TrainerState,
  ) => Effect.Effect<string | undefined, CheckpointFailure, FileSystem.FileSystem>
  /** Path of the last checkpoint. */
  readonly last: () => string | undefined
  /** Restores the last checkpoint into the session, if `resume` asks for it and there is one. */
  readonly start: (
    resume: boolean,
    plan: Plan,
  ) => Effect.Effect<Start, CheckpointFailure | Known, FileSystem.FileSystem>
}

const FRESH: TrainerState = {
  version: 1,
  step: 0,
  feedback: [],
  epoch: 0,
  stepInEpoch: 0,
  tokens: 0,
  seconds: 0,
  withoutProgress: 0,
  batches: {},
}

/** Makes the checkpoints of a run. */
export function makeRunCheckpoints(
  { backend }: Model,
  session: Session,
  folder: RunFolder | undefined,
): RunCheckpoints {
  if (folder === undefined) {
    const start = { state: FRESH, best: undefined, resumedFrom: undefined }
    return { save: () => Effect.succeed(undefined), last: () => undefined, start: () => Effect.succeed(start) }
  }
  const directory = folder.checkpoints
  let saved: number | undefined
  const bestOf = (mark: TrainerState["best"], parameters: Plan["parameters"]) =>
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
        yield* saveCheckpoint(directory, backend, session.slots, state)
        saved = state.step
        return `checkpoints/step-${state.step}`
      }),
    last: () => saved === undefined ? undefined : `${directory}/step-${saved}`,
    start: (resume, { parameters, batches }) =>
      Effect.gen(function* () {
        if (resume) saved = (yield* listCheckpoints(directory)).at(-1)
        if (saved === undefined) return { state: FRESH, best: undefined, resumedFrom: undefined }
        const state = yield* readTrainerState(directory, saved)
        const slots = new Map(session.slots.map(({ name, slot }) => [name, slot]))
        const write = (name: string, data: Float32Array, offset: number) =>
          backend.write(slots.get(name)!, data, offset)
        yield* loadCheckpoint(directory, saved, session.slots, write, { all: true })
        yield* attemptPromise(() => session.restore({ state, values: {} }))
        yield* attempt(() => batches.restore(state.batches))
        return { state, best: yield* bestOf(state.best, parameters), resumedFrom: saved }
      }),
  }
}
