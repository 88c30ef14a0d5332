import * as Effect from "effect/Effect"
import type { Contribution } from "../../contracts/contribution.ts"
import type { TrainEvent, TrainStep } from "../../contracts/train_event.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import type { Model } from "../../model/model.ts"
import { residentMemory } from "../step/memory.ts"
import { makePace } from "../../report/pace.ts"
import type { EventLog } from "../run_folder/event_log.ts"
import type { FullOptions } from "../options.ts"
import { chromeTrace, profileTable, type StepTrace } from "../../report/profile.ts"
import type { RunFolder } from "../run_folder/run_folder.ts"
import type { StepResult } from "../session.ts"

/** Warm-up runs of a program before its timings count. */
const WARM_RUNS = 3

/** Sends an event to the log, the plugins and the caller. */
export type Emit = (event: TrainEvent) => Effect.Effect<void, StorageError>

/** A posted step. */
export interface PostedStep {
  /** Epochs after this step, with their fraction. */
  readonly epoch: number
  readonly learningRate: number
  /** Tokens without padding. */
  readonly tokens: number
}

/** Events, speed, time and memory of a run. */
export interface Telemetry {
  readonly emit: Emit
  /** Records a finished step; {@link Telemetry.report} emits it. */
  readonly step: (result: StepResult, posted: PostedStep) => void
  /** Emits recorded steps, and the trace once its timings count. */
  readonly report: Effect.Effect<void, StorageError>
  /** True if the next step is traced. */
  readonly tracing: () => boolean
  /** Ends tracing: the last trace counts. */
  readonly endTracing: () => void
  /** Excludes the time of an evaluation or a checkpoint from the speed. */
  readonly mark: () => void
  /** Figures of plugins after a step. */
  readonly figures: (step: number) => Pick<TrainStep, "figures">
  /** Seconds of the run, including those before a resume. */
  readonly seconds: () => number
  /** Peak resident memory in bytes; 0 if the runtime does not report it. */
  readonly peakMemoryBytes: () => number
}

/** Arguments of {@link makeTelemetry}. */
export interface TelemetryOptions {
  readonly model: Model
  readonly contributions: ReadonlyArray<Contribution>
  readonly options: FullOptions
  readonly totalSteps: number
  readonly folder: RunFolder | undefined
  readonly log: EventLog | undefined
  /** State at the start or resume. */
  readonly from: { readonly step: number; readonly tokens: number; readonly seconds: number }
}

/** Starts the clock of a run. */
export function makeTelemetry(
  { model, contributions, options, totalSteps, folder, log, from }: TelemetryOptions,
): Telemetry {
  const began = performance.now()
  const seconds = () => from.seconds + (performance.now() - began) / 1000
  const pace = makePace(() => performance.now())
  let peakMemoryBytes = residentMemory()
  let { tokens } = from
  /** Finished steps that are not yet emitted. */
  const unreported: TrainEvent[] = []
  /** If set, steps from this one on are traced until one counts. */
  let traceFrom = options.traceStep === undefined ? undefined : from.step + options.traceStep
  /** The last traced step. */
  let traced: StepTrace | undefined

  const figures = (step: number): Pick<TrainStep, "figures"> => {
    const own = Object.assign({}, ...contributions.map(({ figures }) => figures?.(step)))
    return Object.keys(own).length === 0 ? {} : { figures: own }
  }
  const emit: Emit = (event) =>
    Effect.gen(function* () {
      if (log !== undefined) yield* log.append(event)
      for (const { observe } of contributions) if (observe !== undefined) yield* observe(event)
      if (options.observe !== undefined) yield* options.observe(event)
    })
  const reportTrace = (trace: StepTrace) =>
    Effect.gen(function* () {
      if (trace.runs.every(({ times }) => times.length === 0)) {
        const text = `no trace: ${model.backend.info.description} has no clock for its kernels`
        return yield* emit({ type: "message", level: "warning", text })
      }
      const where = folder === undefined ? "" : `\nfor chrome://tracing or ui.perfetto.dev: ${folder.path}/trace.json`
      if (folder !== undefined) yield* folder.writeTrace(chromeTrace(trace))
      yield* emit({ type: "message", level: "info", text: `${profileTable(trace)}${where}` })
    })
  return {
    emit,
    step: ({ step, loss, gradientNorm, trace }, { epoch, learningRate, tokens: own }) => {
      if (trace !== undefined) {
        traced = trace
        if (step >= traceFrom! && trace.runsBefore >= WARM_RUNS) traceFrom = undefined
      }
      tokens += own
      pace.step(own)
      peakMemoryBytes = Math.max(peakMemoryBytes, residentMemory())
      unreported.push({
        type: "step",
        step,
        totalSteps,
        epoch,
        loss,
        learningRate,
        gradientNorm,
        tokens,
        tokensPerSecond: pace.tokensPerSecond(),
        seconds: seconds(),
        secondsLeft: (totalSteps - step) * pace.secondsPerStep(),
        ...figures(step),
      })
    },
    report: Effect.gen(function* () {
      while (unreported.length > 0) yield* emit(unreported.shift()!)
      if (traced === undefined || traceFrom !== undefined) return
      const trace = traced
      traced = undefined
      yield* reportTrace(trace)
    }),
    tracing: () => traceFrom !== undefined,
    endTracing: () => {
      traceFrom = undefined
    },
    figures,
    mark: pace.mark,
    seconds,
    peakMemoryBytes: () => peakMemoryBytes,
  }
}
