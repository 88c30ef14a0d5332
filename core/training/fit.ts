/**
 * The training loop: steps, evaluations, checkpoints.
 *
 * One step is always under way while the last one's loss is awaited, so the engine never waits for the host. Steps run
 * in a plain loop for a moment, or until something is due; Effect then tells of them, evaluates and saves. So a step
 * costs no fiber anything, and leaves nothing behind in memory.
 * @module
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import type { BackendError } from "../backend/backend_error.ts"
import type { NamedValues } from "../contracts/contribution.ts"
import type { PluginError } from "../contracts/plugin_error.ts"
import type { Metrics, TrainEvent, TrainStop } from "../contracts/train_event.ts"
import { stepsFrom } from "../data/batches.ts"
import type { DataError } from "../data/data_error.ts"
import { loadTokenizer } from "../data/tokenizer.ts"
import type { JsonError } from "../formats/json_error.ts"
import type { SafetensorsError } from "../formats/safetensors_error.ts"
import type { StorageError } from "../formats/storage_error.ts"
import { readParameters, saveAdapters, writeParameters } from "../model/adapters.ts"
import type { Model } from "../model/model.ts"
import { saveCheckpoint as saveModel } from "../model/save_checkpoint.ts"
import type { ModelError } from "../model/model_error.ts"
import { sizeOf } from "../tensor/shape.ts"
import { attempt, attemptPromise } from "./_attempt.ts"
import { residentMemory } from "./_memory.ts"
import { makePace } from "./_pace.ts"
import { type Plan, planRun } from "./_plan.ts"
import { listCheckpoints, loadCheckpoint, readTrainerState, saveCheckpoint, type TrainerState } from "./checkpoint.ts"
import { evaluateExamples } from "./evaluate.ts"
import { type FullOptions, fullOptions, type TrainOptions } from "./options.ts"
import { chromeTrace, profileTable, type StepTrace } from "./profile.ts"
import type { ReportData } from "./report.ts"
import { openRunFolder, type RunFolder } from "./run_folder.ts"
import type { RunFolderError } from "./run_folder_error.ts"
import { scheduleFactor } from "./schedule.ts"
import { makeStepper, type NamedSlot, type Stepper, type StepResult } from "./stepper.ts"
import type { TrainingData } from "./training_data.ts"
import { TrainingError } from "./training_error.ts"

/** Why a run failed. */
export type TrainError =
  | TrainingError
  | DataError
  | BackendError
  | RunFolderError
  | StorageError
  | SafetensorsError
  | JsonError

/** A run that has ended in order. */
export interface Run {
  /** The model, with the best weights where validation was there, else the last. */
  readonly model: Model
  /** Steps done. */
  readonly steps: number
  readonly reason: TrainStop["reason"]
  /** Step whose weights were restored. */
  readonly bestStep?: number
  /** Seconds of work, those before a resume included. */
  readonly seconds: number
  /** Most resident memory that was seen, bytes; 0 where the runtime does not tell. */
  readonly peakMemoryBytes: number
  /** Number of parameters that were trained. */
  readonly trainableParameters: number
  /** Number of all parameters, those of the methods included. */
  readonly totalParameters: number
  /** The run folder, where there is one. */
  readonly folder?: RunFolder
  /** Writes `summary.json` into the run folder: what is given, with parameters, seconds, steps and memory. */
  readonly summarize: (results: Readonly<Record<string, unknown>>) => Effect.Effect<void, StorageError>
  /** Writes `report.html` into the run folder: what is given, with the events and the configuration. */
  readonly report: (data: Omit<ReportData, "events" | "config">) => Effect.Effect<void, StorageError>
  /**
   * Saves what was trained: the plugins' adapters, or, without any, a checkpoint with the tokenizer's files. Whole or
   * not at all.
   */
  readonly save: (
    directory: string,
  ) => Effect.Effect<
    void,
    PluginError | ModelError | BackendError | StorageError | SafetensorsError,
    FileSystem.FileSystem
  >
}

/** Steps that may be under way before the loss of an earlier one is awaited. */
const DEPTH = 2
/** Milliseconds after which steps are told of. */
const MOMENT = 150
/** Steps at the start whose gradients may be exactly zero before that is taken for a mistake. */
const ZERO_STEPS = 2
/** Timed runs that a program has had when its times are believed. */
const WARM_RUNS = 3

interface Pending {
  readonly step: number
  readonly epoch: number
  readonly learningRate: number
  readonly tokens: number
  readonly empty: boolean
  readonly result: Promise<StepResult>
}

interface Best {
  readonly step: number
  readonly value: number
  readonly values: ReadonlyArray<NamedValues>
}

/** Tells an event to whoever asked. */
export type Emit = (event: TrainEvent) => Effect.Effect<void, StorageError>

/**
 * Trains a model. Everything that can be checked is checked before any work; interruption (Ctrl-C) writes a checkpoint
 * and ends in order.
 */
export function fit(
  model: Model,
  data: TrainingData,
  options: TrainOptions = {},
): Effect.Effect<Run, TrainError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const full = yield* attempt(() => fullOptions(options))
    const tokenizer = full.tokenizer ?? (yield* loadTokenizer(model.companions ?? model.directory))
    const plan = yield* attempt(() => planRun(model, data, tokenizer, full))
    const folder = full.runFolder === undefined
      ? undefined
      : yield* openRunFolder({ path: full.runFolder, config: plan.config, resume: full.resume })
    const stepper = yield* Effect.acquireRelease(
      attempt(() => makeStepper(model.backend, plan.settings, { seed: full.seed, tasks: Object.keys(plan.train) })),
      (stepper) => Effect.sync(stepper.dispose),
    )
    return yield* runLoop(model, plan, full, stepper, folder)
  }))
}

function runLoop(
  model: Model,
  plan: Plan,
  options: FullOptions,
  stepper: Stepper,
  folder: RunFolder | undefined,
): Effect.Effect<Run, TrainError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    const { source, train, validation, totalSteps, epochSteps, watched, settings } = plan
    const parameters = settings.trained.map(({ key, slot }): NamedSlot => ({
      name: `parameter/${key}`,
      slot: slot as NamedSlot["slot"],
    }))
    const tensors = [...parameters, ...stepper.state]

    // Where the run stands.
    let state: TrainerState = {
      version: 1,
      step: 0,
      epoch: 0,
      stepInEpoch: 0,
      tokens: 0,
      seconds: 0,
      withoutProgress: 0,
    }
    let best: Best | undefined
    let saved: number | undefined
    if (folder !== undefined && options.resume) {
      saved = (yield* listCheckpoints(folder.checkpoints)).at(-1)
      if (saved !== undefined) {
        state = yield* readTrainerState(folder.checkpoints, saved)
        const slots = new Map(tensors.map(({ name, slot }) => [name, slot]))
        const write = (name: string, data: Float32Array, offset: number) =>
          model.backend.write(slots.get(name)!, data, offset)
        yield* loadCheckpoint(folder.checkpoints, saved, tensors, write, { all: true })
        if (state.best !== undefined) {
          const values = settings.trained.map((parameter) => ({
            parameter,
            data: new Float32Array(sizeOf(parameter.shape)),
          }))
          const byName = new Map(values.map((value) => [`parameter/${value.parameter.key}`, value.data]))
          const keep = (name: string, data: Float32Array, offset: number) => byName.get(name)!.set(data, offset)
          yield* loadCheckpoint(folder.checkpoints, state.best.step, parameters, keep, { all: false })
          best = { ...state.best, values }
        }
      }
    }

    const log = folder === undefined ? undefined : yield* folder.openLog(state.step)
    const emit: Emit = (event) =>
      Effect.gen(function* () {
        if (log !== undefined) yield* log.append(event)
        for (const { observe } of model.contributions) if (observe !== undefined) yield* observe(event)
        if (options.observe !== undefined) yield* options.observe(event)
      })

    const before = state.seconds
    const began = performance.now()
    const seconds = () => before + (performance.now() - began) / 1000
    const pace = makePace(() => performance.now())
    let peakMemoryBytes = residentMemory()
    let zeroSteps = 0
    /** Tokens of the steps that are done; those of `state` are of the steps handed over. */
    let tokensDone = state.tokens
    const pending: Pending[] = []
    /** While set, steps are timed from here on until one counts. */
    let traceFrom = options.traceStep === undefined ? undefined : state.step + options.traceStep
    /** The last step that was timed; told of when it counts. */
    let traced: StepTrace | undefined
    /** Steps that are done and that nobody has been told of. */
    const untold: TrainEvent[] = []
    const lastGood = () => saved === undefined ? {} : { checkpoint: `${folder!.checkpoints}/step-${saved}` }
    const advice = () => saved === undefined ? "" : `; the last good checkpoint is ${lastGood().checkpoint}`

    /** Waits for the oldest step under way and checks it. */
    const settle = async () => {
      const { step, epoch, learningRate, tokens, empty, result } = pending[0]
      const { loss, weight, gradientNorm, trace } = await result
      pending.shift()
      if (trace !== undefined) {
        traced = trace
        if (step >= traceFrom! && trace.runsBefore >= WARM_RUNS) traceFrom = undefined
      }
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        const message =
          `step ${step}: the loss is ${loss} and the gradient's norm ${gradientNorm}; lower the learning ` +
          `rate (${options.learningRate}) or look at the data${advice()}`
        throw new TrainingError({ reason: "NotFinite", message, step, ...lastGood() })
      }
      if (!empty && weight === 0) {
        const message = `step ${step}: every label of its batch is masked, so there is nothing to learn from`
        throw new TrainingError({ reason: "AllMasked", message, step })
      }
      if (!empty && gradientNorm === 0 && step <= ZERO_STEPS) zeroSteps++
      if (zeroSteps > 0 && zeroSteps === Math.min(ZERO_STEPS, totalSteps)) {
        const message =
          `the gradients of the first ${zeroSteps === 1 ? "step" : `${zeroSteps} steps`} are all exactly ` +
          `zero: nothing that is trained has any effect on the loss; look at what the methods change and how it starts`
        throw new TrainingError({ reason: "ZeroGradient", message, step })
      }
      tokensDone += tokens
      pace.step(tokens)
      peakMemoryBytes = Math.max(peakMemoryBytes, residentMemory())
      untold.push({
        type: "step",
        step,
        totalSteps,
        epoch,
        loss,
        learningRate,
        gradientNorm,
        tokens: tokensDone,
        tokensPerSecond: pace.tokensPerSecond(),
        seconds: seconds(),
        secondsLeft: (totalSteps - step) * pace.secondsPerStep(),
      })
    }
    const settleAll = async () => {
      while (pending.length > 0) await settle()
    }
    const tellTrace = (trace: StepTrace) =>
      Effect.gen(function* () {
        if (trace.runs.every(({ times }) => times.length === 0)) {
          const text = `no trace: ${model.backend.info.description} has no clock for its kernels`
          return yield* emit({ type: "message", level: "warning", text })
        }
        const { path } = folder ?? {}
        const where = path === undefined ? "" : `\nfor chrome://tracing or ui.perfetto.dev: ${path}/trace.json`
        if (folder !== undefined) yield* folder.writeTrace(chromeTrace(trace))
        yield* emit({ type: "message", level: "info", text: `${profileTable(trace)}${where}` })
      })
    /** Works on steps, then tells of those that are done, also when a later one failed. */
    const tellAfter = <A>(work: () => Promise<A>) =>
      Effect.gen(function* () {
        // Uninterrupted, because a promise goes on anyway.
        const exit = yield* Effect.exit(Effect.uninterruptible(attemptPromise(work)))
        while (untold.length > 0) yield* emit(untold.shift()!)
        if (traced !== undefined && traceFrom === undefined) {
          yield* tellTrace(traced)
          traced = undefined
        }
        return yield* exit
      })

    const save = Effect.gen(function* () {
      if (folder === undefined || saved === state.step) return
      const { best: _, ...rest } = state
      const mark = best === undefined ? {} : { best: { step: best.step, value: best.value } }
      yield* saveCheckpoint(folder.checkpoints, model.backend, tensors, { ...rest, ...mark, seconds: seconds() })
      saved = state.step
      yield* emit({ type: "checkpoint", step: state.step, path: `checkpoints/step-${state.step}` })
    })

    /** Evaluates the validation split; whether its weights are the best so far. */
    const validate = Effect.gen(function* () {
      const found: Record<string, number>[] = []
      for (const [task, examples] of Object.entries(validation)) {
        const { metrics } = yield* attemptPromise(() => evaluateExamples(model, examples, plan.evaluation))
        found.push(metrics)
        if (!Number.isFinite(metrics.loss)) {
          const message = `after step ${state.step} the validation loss of "${task}" is ${metrics.loss}${advice()}`
          return yield* new TrainingError({ reason: "NotFinite", message, step: state.step, ...lastGood() })
        }
      }
      const metrics: Metrics = Object.fromEntries(
        Object.keys(found[0]).map((name) => [name, found.reduce((sum, own) => sum + own[name], 0) / found.length]),
      )
      yield* emit({ type: "evaluation", step: state.step, split: "validation", metrics })
      const value = metrics[watched.metric]
      const progress = best === undefined || watched.sign * (value - best.value) > watched.minDelta
      if (progress) best = { step: state.step, value, values: yield* readParameters(model, plan.parameters) }
      state = { ...state, withoutProgress: progress ? 0 : state.withoutProgress + 1 }
      return progress
    })

    const stop = (reason: TrainStop["reason"]) => {
      const restored = best === undefined || reason === "interrupted" || reason === "failed"
        ? {}
        : { bestStep: best.step }
      return emit({ type: "stop", step: state.step, reason, seconds: seconds(), ...restored })
    }
    const exhausted = () => state.withoutProgress >= (options.earlyStopping?.patience ?? Infinity)
    const hasValidation = Object.keys(validation).length > 0

    const steps = stepsFrom(source, epochSteps.length, { epoch: state.epoch, step: state.stepInEpoch })
    /** Takes steps for a moment or until something is due; gives what is, or nothing at the end. */
    const takeSteps = async () => {
      const until = performance.now() + MOMENT
      while (state.step < totalSteps && !exhausted()) {
        const { value: next, done } = steps.next()
        if (done) break
        const batches = next.microBatches.map(plan.collate)
        const step = state.step + 1
        const factor = scheduleFactor(options.schedule, state.step, { warmup: plan.warmup, total: totalSteps })
        const learningRate = options.learningRate * factor
        const tokens = batches.reduce(
          (sum, { lengths, rows }) => lengths.reduce((own, length, i) => own + (rows[i] < 0 ? 0 : length), sum),
          0,
        )
        const endsEpoch = next.step + 1 === epochSteps[next.epoch]
        const trace = traceFrom !== undefined
        // Its time is its own: nothing else is under way.
        if (trace) await settleAll()
        const { result } = await stepper.post({ step, learningRate, batches, trace })
        const epoch = next.epoch + (next.step + 1) / epochSteps[next.epoch]
        pending.push({ step, epoch, learningRate, tokens, empty: batches.length === 0, result })
        state = {
          ...state,
          step,
          tokens: state.tokens + tokens,
          epoch: endsEpoch ? next.epoch + 1 : next.epoch,
          stepInEpoch: endsEpoch ? 0 : next.step + 1,
        }
        while (pending.length >= (trace ? 1 : DEPTH)) await settle()
        const ends = step === totalSteps
        const due = (cadence: FullOptions["saveEvery"]) =>
          cadence === "epoch" ? endsEpoch || ends : cadence !== "never" && (step % cadence === 0 || ends)
        const evaluates = hasValidation && due(options.evaluateEvery)
        const saves = due(options.saveEvery)
        if (evaluates || saves || performance.now() >= until) return { evaluates, saves }
      }
      return undefined
    }

    const loop = Effect.gen(function* () {
      yield* emit({
        type: "start",
        model: plan.name,
        methods: model.contributions.map(({ id }) => id),
        backend: model.backend.info.name,
        ...plan.counts,
        trainExamples: Object.values(train).reduce((sum, { examples }) => sum + examples.length, 0),
        totalSteps,
        ...(options.resume && saved !== undefined ? { resumedFrom: saved } : {}),
      })
      const { messagesOf } = yield* Effect.promise(() => import("./_messages.ts"))
      for (const message of messagesOf(plan)) yield* emit(message)
      for (let due = yield* tellAfter(takeSteps); due !== undefined; due = yield* tellAfter(takeSteps)) {
        const { evaluates, saves } = due
        if (!evaluates && !saves) continue
        yield* tellAfter(settleAll)
        // Uninterrupted, so that a checkpoint never lacks the evaluation of its own step.
        yield* Effect.uninterruptible(Effect.gen(function* () {
          const progress = evaluates && (yield* validate)
          if (progress || saves) yield* save
        }))
        pace.mark()
      }
      traceFrom = undefined
      yield* tellAfter(settleAll)
      yield* save
      const reason = exhausted() && state.step < totalSteps ? "early-stopping" as const : "finished" as const
      if (best !== undefined && best.step !== state.step) yield* writeParameters(model, best.values)
      yield* stop(reason)
      return reason
    })

    const reason = yield* loop.pipe(Effect.onExit((exit) => {
      if (Exit.isSuccess(exit)) return Effect.void
      const interrupted = Cause.hasInterruptsOnly(exit.cause)
      // What is under way must end before its memory goes.
      const drain = Effect.promise(() => Promise.allSettled(pending.map(({ result }) => result)))
      const end = interrupted
        ? tellAfter(settleAll).pipe(Effect.andThen(save), Effect.andThen(stop("interrupted")))
        : stop("failed")
      return drain.pipe(Effect.andThen(end), Effect.ignore)
    }))
    const account = {
      steps: state.step,
      ...(best === undefined ? {} : { bestStep: best.step }),
      seconds: seconds(),
      peakMemoryBytes,
      ...plan.counts,
    }
    return {
      model,
      reason,
      ...account,
      ...(folder === undefined ? {} : { folder }),
      summarize: (results) => folder === undefined ? Effect.void : folder.writeSummary({ ...results, ...account }),
      report: (data) =>
        folder === undefined ? Effect.void : Effect.gen(function* () {
          const events = yield* folder.events
          // Loaded when it is wanted: a page that writes no report needs no charts.
          const { report } = yield* Effect.promise(() => import("./report.ts"))
          yield* folder.writeReport(report({ ...data, events, config: plan.config }))
        }),
      save: (directory) =>
        model.contributions.some(({ artifacts }) => artifacts !== undefined)
          ? saveAdapters(model, directory)
          : saveModel(model, directory),
    }
  })
}
