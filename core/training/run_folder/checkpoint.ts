/**
 * Checkpoints of a run: `checkpoints/step-N/` with `state.safetensors` (trained parameters, optimizer and transform
 * state, all f32) and `trainer_state.json`. Each is written whole or not at all.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import type { BackendService } from "../../backend/backend.ts"
import type { Json } from "../../contracts/batch_source.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import { readJson } from "../../formats/json/json_file.ts"
import { writeJson } from "../../formats/json/write_json.ts"
import {
  checkNames,
  openSafetensors,
  readTensor,
  type SafetensorsError,
  writeSafetensors,
} from "../../formats/safetensors/safetensors.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../formats/files/whole_file.ts"
import type { SessionState } from "../session.ts"
import type { NamedSlot } from "../step/step_slots.ts"
import { TrainingError } from "../training_error.ts"
import type { ValidationState } from "../loop/validation.ts"

/** State of a run besides its tensors. */
export interface TrainerState extends SessionState, ValidationState {
  /** Version of the file format. */
  readonly version: 1
  /** Epoch of the next step, from 0. */
  readonly epoch: number
  /** Index of the next step in its epoch, from 0. */
  readonly stepInEpoch: number
  /** Tokens so far, without padding. */
  readonly tokens: number
  /** Seconds so far. */
  readonly seconds: number
  /** States of sources of batches, by plugin id. */
  readonly batches: Readonly<Record<string, Json>>
}

/** Errors of checkpoint operations. */
export type CheckpointFailure = StorageError | SafetensorsError | JsonError | TrainingError

/** File mode of checkpoints with a secret key. */
const OWNER_ALONE = 0o600
const SECRET = "the secretKeys below remove the noise of this private run: do not publish this checkpoint"

const nameOf = (step: number) => `step-${step}`

/** Steps of the checkpoints in a directory, ascending. */
export function listCheckpoints(
  directory: string,
): Effect.Effect<ReadonlyArray<number>, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const names = yield* fs.readDirectory(directory).pipe(Effect.mapError(toStorageError(directory, "read")))
    return names.flatMap((name) => /^step-\d+$/.test(name) ? [Number(name.slice(5))] : []).sort((a, b) => a - b)
  })
}

/** Writes a checkpoint, then removes all others but the previous and the best. Returns its path. */
export function saveCheckpoint(
  directory: string,
  backend: BackendService,
  tensors: ReadonlyArray<NamedSlot>,
  state: TrainerState,
): Effect.Effect<string, CheckpointFailure, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const path = `${directory}/${nameOf(state.step)}`
    yield* writeDirectoryWhole(path, (temporary) =>
      Effect.gen(function* () {
        const sources = tensors.map(({ name, slot }) => ({
          name,
          shape: slot.shape,
          dtype: "F32" as const,
          read: () => backend.read(slot) as Promise<Float32Array>,
        }))
        const secret = state.secretKeys !== undefined
        const mode = secret ? OWNER_ALONE : undefined
        yield* writeSafetensors(`${temporary}/state.safetensors`, sources, {}, mode)
        yield* writeJson(`${temporary}/trainer_state.json`, secret ? { secret: SECRET, ...state } : state, mode)
      }))
    const others = (yield* listCheckpoints(directory)).filter((step) =>
      step !== state.step && step !== state.best?.step
    )
    const last = Math.max(...others.filter((step) => step < state.step))
    for (const step of others) {
      if (step === last) continue
      const old = `${directory}/${nameOf(step)}`
      yield* fs.remove(old, { recursive: true, force: true }).pipe(Effect.mapError(toStorageError(old, "remove")))
    }
    return path
  })
}

/** Reads the state of a checkpoint. */
export function readTrainerState(
  directory: string,
  step: number,
): Effect.Effect<TrainerState, CheckpointFailure, FileSystem.FileSystem> {
  const path = `${directory}/${nameOf(step)}/trainer_state.json`
  return Effect.flatMap(readJson(path), (value) => {
    const state = value as Partial<TrainerState> | null
    const whole = [state?.step, state?.epoch, state?.stepInEpoch, state?.tokens, state?.withoutProgress]
    const sound = Array.isArray(state?.feedback) && typeof state.batches === "object" &&
      whole.every((n) => Number.isSafeInteger(n) && n! >= 0)
    if (state?.version === 1 && state.step === step && sound) {
      return Effect.succeed(state as TrainerState)
    }
    const message = `"${path}" is not the state of a run: remove that checkpoint, or start again in another folder`
    return Effect.fail(new TrainingError({ reason: "Checkpoint", message, step }))
  })
}

/** Reads the wanted tensors of a checkpoint; with `all`, any other tensor in it is an error. */
export function loadCheckpoint(
  directory: string,
  step: number,
  wanted: ReadonlyArray<NamedSlot>,
  take: (name: string, data: Float32Array, offset: number) => void | Promise<void>,
  { all }: { readonly all: boolean },
): Effect.Effect<void, CheckpointFailure, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const file = yield* openSafetensors(`${directory}/${nameOf(step)}/state.safetensors`)
    const expected = new Map(wanted.map(({ name, slot }) => [name, slot.shape]))
    yield* checkNames({ expected, found: file.tensors, file: file.path, ignore: all ? [] : [/^/] })
    for (const { name } of wanted) {
      // The reader reuses its memory, which a backend may still be reading.
      yield* readTensor(file.tensors.get(name)!, (data, offset) => take(name, data.slice(), offset))
    }
  })
}
