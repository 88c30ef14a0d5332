/**
 * A training session: the slots of a run and the steps that change them. `fit` is a loop on a session; reinforcement
 * learning or distillation is another.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BackendError } from "../backend/backend_error.ts"
import type { BackendService, RunData } from "../backend/backend.ts"
import type { FinishedStep } from "../contracts/batch_source.ts"
import type { Batch } from "../data/batches/batches.ts"
import type { DataError } from "../data/data_error.ts"
import { unknownOption } from "../options/unknown_option.ts"
import { sizeOf } from "../tensor/shape.ts"
import { attemptPromise } from "./loop/attempt.ts"
import type { StepTrace } from "../report/profile.ts"
import { SESSION_OPTIONS, type SessionModel, type SessionOptions, settingsOf } from "./step/session_options.ts"
import { prepared } from "./step/prepared.ts"
import { makeStepKeys, type SecretKeys } from "./step/step_keys.ts"
import { makeStepPrograms, type StepOutputs } from "./step/step_programs.ts"
import { makeStepSlots, type NamedSlot } from "./step/step_slots.ts"
import { TrainingError } from "./training_error.ts"

/** Input of a step. */
export interface SessionStep {
  /** Micro-batches. Gradients accumulate over them; an empty list is an empty (Poisson) step. */
  readonly batches: ReadonlyArray<Batch>
  /** Times each call; results do not change. Default false. */
  readonly trace?: boolean
}

/** Result of a step. */
export interface StepResult extends FinishedStep {
  /** Times of its calls, for a traced step. */
  readonly trace?: StepTrace
}

/** State of a session besides its slots: plain JSON. */
export interface SessionState {
  /** Number of posted steps. */
  readonly step: number
  /** Finished steps that {@link Session.feedback} still has to report. */
  readonly feedback: ReadonlyArray<FinishedStep>
  /** Secret keys of noise by plugin id, if any asks for one. With them, the noise can be removed. */
  readonly secretKeys?: SecretKeys
}

/** State of a session with the values of its slots. */
export interface Snapshot {
  readonly state: SessionState
  /** Values of slots by name. */
  readonly values: Readonly<Record<string, Float32Array>>
}

/** A training session. Await each call before the next. */
export interface Session {
  /** Memory that training changes: trained parameters, state of the optimizer and of gradient transforms. */
  readonly slots: ReadonlyArray<NamedSlot>
  /**
   * Posts a step with a learning rate. Up to two steps are pending, so the backend does not wait for the host: the result
   * of a step is returned with the next posted step, or by `drain`. Returns finished steps in order.
   *
   * Rejects with a {@link TrainingError} (`Options`) for an unknown task or a wrong rate, or with the backend's error.
   */
  readonly post: (step: SessionStep, learningRate: number) => Promise<ReadonlyArray<StepResult>>
  /** Waits for pending steps; returns their results. */
  readonly drain: () => Promise<ReadonlyArray<StepResult>>
  /**
   * Finished steps for the source of the next batches, each until the step after it is posted. The last posted step is never
   * included, even if it is finished, so a resumed run gets the same feedback.
   */
  readonly feedback: () => ReadonlyArray<FinishedStep>
  /** State without the slots. No step may be pending. */
  readonly state: () => SessionState
  /** State with copies of all slots. No step may be pending. */
  readonly snapshot: () => Promise<Snapshot>
  /**
   * Restores a state, also one of an earlier session of the same model. Slots without values in it do not change. No step
   * may be pending.
   */
  readonly restore: (snapshot: Snapshot) => Promise<void>
  /** Waits for pending steps, then frees all memory but the model's. */
  readonly dispose: () => Promise<void>
}

/** Maximum number of pending steps. */
const DEPTH = 2

const wrong = (message: string) => new TrainingError({ reason: "Options", message })

/**
 * Makes a session, which the caller disposes. Rejects with a {@link TrainingError}: `Options`, or `NothingTrains` if all
 * parameters are frozen.
 */
export async function makeSession(given: SessionModel, options: SessionOptions = {}): Promise<Session> {
  const { backend, contributions } = given
  const unknown = unknownOption(options, SESSION_OPTIONS)
  if (unknown !== undefined) throw wrong(unknown)
  const { seed = 42, tasks = Object.keys(given.tasks), examplesPerStep } = options
  if (!Number.isSafeInteger(seed) || seed < 0) throw wrong(`seed must be a whole number from 0, got ${seed}`)
  if (tasks.length === 0) throw wrong("tasks must name one task or more")
  const run = { seed, contributions, ...(examplesPerStep === undefined ? {} : { examplesPerStep }) }
  const model = { ...given, contributions: prepared(run) }
  const settings = settingsOf(model, options)
  const memory = makeStepSlots(backend, settings, tasks)
  await memory.initialize(seed)
  const programs = makeStepPrograms(backend, settings, memory, tasks)
  const parameters = settings.trained.map(({ key, slot }) => ({ name: `parameter/${key}`, slot }) as NamedSlot)
  const slots = [...parameters, ...memory.named]
  const keys = makeStepKeys(seed, model.contributions)

  let step = 0
  let finished: ReadonlyArray<FinishedStep> = []
  const pending: Array<Promise<StepResult>> = []
  const settle = async (): Promise<StepResult> => {
    const result = await pending.shift()!
    const { trace: _, ...own } = result
    finished = [...finished, own]
    return result
  }
  const drain = async () => {
    const results: Array<StepResult> = []
    while (pending.length > 0) results.push(await settle())
    return results
  }
  const post: Session["post"] = async ({ batches, trace = false }, learningRate) => {
    if (!Number.isFinite(learningRate)) throw wrong(`the learning rate must be a finite number, got ${learningRate}`)
    const other = batches.find(({ task }) => !tasks.includes(task))
    if (other !== undefined) throw wrong(`a batch is of the task "${other.task}"; there are ${JSON.stringify(tasks)}`)
    const isSummed = ({ task, packed }: Batch) => packed !== undefined && settings.specOf(task).head.kind !== "sequence"
    if (settings.exampleLosses && batches.some(isSummed)) {
      throw wrong("losses by example need padded rows: a packed row has one loss")
    }
    const next = step + 1
    const scalars = Object.entries(settings.optimizer.scalars(next))
    const common: RunData = {
      step: Int32Array.of(next),
      learningRate: Float32Array.of(learningRate),
      ...Object.fromEntries(scalars.map(([name, value]) => [name, Float32Array.of(value)])),
      ...keys.update(next),
    }
    const own = (microBatch: number) => keys.microBatch(next, microBatch)
    const { result } = await programs.post({ step: next, batches, common, own, trace })
    step = next
    finished = finished.filter((one) => one.step > next - DEPTH)
    const told = result.then((outputs) => resultOf(next, outputs, settings.exampleLosses ? batches : []))
    told.catch(() => {})
    pending.push(told)
    return trace ? await drain() : pending.length >= DEPTH ? [await settle()] : []
  }
  const state = (): SessionState => {
    if (pending.length > 0) throw wrong("steps are pending: drain the session first")
    const secretKeys = keys.secrets()
    return { step, feedback: finished, ...(secretKeys === undefined ? {} : { secretKeys }) }
  }
  return {
    slots,
    post,
    drain,
    feedback: () => finished.filter((one) => one.step < step),
    state,
    snapshot: async () => {
      const own = state()
      const values: Record<string, Float32Array> = {}
      for (const { name, slot } of slots) values[name] = (await backend.read(slot) as Float32Array).slice()
      return { state: own, values }
    },
    restore: async (snapshot) => {
      state()
      keys.restore(snapshot.state.secretKeys)
      await writeSlots(backend, slots, snapshot.values)
      ;({ step, feedback: finished } = snapshot.state)
    },
    dispose: async () => {
      await Promise.allSettled(pending)
      programs.dispose()
      memory.dispose()
    },
  }
}

async function writeSlots(
  backend: BackendService,
  slots: ReadonlyArray<NamedSlot>,
  values: Snapshot["values"],
): Promise<void> {
  const byName = new Map(slots.map(({ name, slot }) => [name, slot]))
  for (const [name, data] of Object.entries(values)) {
    const slot = byName.get(name)
    if (slot === undefined) throw wrong(`a snapshot has values of "${name}", which this session does not train`)
    const size = sizeOf(slot.shape)
    if (data.length !== size) throw wrong(`a snapshot has ${data.length} values of "${name}" instead of ${size}`)
    await backend.write(slot, data)
  }
}

/** @param batches Those with losses by example. */
function resultOf(step: number, { outputs, trace }: StepOutputs, batches: ReadonlyArray<Batch>): StepResult {
  const { loss, weight, gradientNorm } = outputs.at(-1)!
  const examples = batches.flatMap(({ task, rows }, i) =>
    Array.from(rows).flatMap((row, at) => {
      const [loss, weight] = [outputs[i].losses[at], outputs[i].weights[at]]
      return row < 0 || weight === 0 ? [] : [{ task, row, loss: loss / weight }]
    })
  )
  return {
    step,
    loss: loss[0],
    weight: weight[0],
    gradientNorm: gradientNorm[0],
    ...(batches.length === 0 ? {} : { examples }),
    ...(trace === undefined ? {} : { trace }),
  }
}

/** Opens a session until the scope closes. */
export function session(
  model: SessionModel,
  options: SessionOptions = {},
): Effect.Effect<Session, TrainingError | DataError | BackendError, Scope.Scope> {
  return Effect.acquireRelease(
    attemptPromise(() => makeSession(model, options)),
    (own) => Effect.promise(own.dispose),
  )
}
