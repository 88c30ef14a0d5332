/**
 * The training loop: steps, evaluations, checkpoints.
 *
 * Steps run in a plain loop for a moment, or until something is due; Effect then reports them, evaluates and saves. So a
 * step costs no fiber, and leaves nothing behind in memory.
 * @module
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type { TrainStop } from "../contracts/train_event.ts"
import { stepsFrom } from "../data/batches.ts"
import { attemptPromise } from "./_attempt.ts"
import type { Plan } from "./_plan.ts"
import type { TrainerState } from "./checkpoint.ts"
import type { Guards } from "./guards.ts"
import type { Cadence, FullOptions } from "./options.ts"
import type { TrainError } from "./run.ts"
import type { RunCheckpoints, Start } from "./run_checkpoints.ts"
import { scheduleFactor } from "./schedule.ts"
import type { Session, StepResult } from "./session.ts"
import type { PostedStep, Telemetry } from "./telemetry.ts"
import type { Validation } from "./validation.ts"

/** The parts of a run. */
export interface LoopParts {
  readonly plan: Plan
  readonly options: FullOptions
  readonly session: Session
  readonly start: Start
  readonly guards: Guards
  readonly telemetry: Telemetry
  readonly validation: Validation
  readonly checkpoints: RunCheckpoints
  /** What comes before the first step. */
  readonly begin: Effect.Effect<void, TrainError>
}

/** Milliseconds after which steps are reported. */
const MOMENT = 150

/** What is to be done before the next step. */
interface Due {
  readonly evaluates: boolean
  readonly saves: boolean
}

/** The plain part of the loop. */
interface Steps {
  /** Takes steps for a moment or until something is due; at the end of the run gives undefined. */
  readonly take: () => Promise<Due | undefined>
  /** Waits for the steps under way. */
  readonly drain: () => Promise<void>
  /** Where the run stands. */
  readonly position: () => Pick<TrainerState, "epoch" | "stepInEpoch" | "tokens">
}

function makeSteps({ plan, options, session, start, guards, telemetry, validation }: LoopParts): Steps {
  const { epochSteps, totalSteps, warmup } = plan
  let { epoch, stepInEpoch, tokens } = start.state
  let step = start.state.step
  const steps = stepsFrom(plan.source, epochSteps.length, { epoch, step: stepInEpoch })
  const posted: Array<PostedStep & { readonly empty: boolean }> = []
  const settle = (results: ReadonlyArray<StepResult>) => {
    for (const result of results) {
      const own = posted.shift()!
      guards.step(result, own.empty)
      telemetry.step(result, own)
    }
  }
  const drain = async () => settle(await session.drain())
  const take = async () => {
    const until = performance.now() + MOMENT
    while (step < totalSteps && !validation.exhausted()) {
      const { value: next, done } = steps.next()
      if (done) return undefined
      const batches = next.microBatches.map(plan.collate)
      const learningRate = options.learningRate * scheduleFactor(options.schedule, step, { warmup, total: totalSteps })
      const trace = telemetry.tracing()
      // Its time is its own: nothing else is under way.
      if (trace) await drain()
      const own = batches.reduce(
        (sum, { lengths, rows }) => lengths.reduce((inner, length, i) => inner + (rows[i] < 0 ? 0 : length), sum),
        0,
      )
      const epochNow = next.epoch + (next.step + 1) / epochSteps[next.epoch]
      posted.push({ epoch: epochNow, learningRate, tokens: own, empty: batches.length === 0 })
      const results = await session.post({ batches, trace }, learningRate)
      const endsEpoch = next.step + 1 === epochSteps[next.epoch]
      step++
      tokens += own
      epoch = endsEpoch ? next.epoch + 1 : next.epoch
      stepInEpoch = endsEpoch ? 0 : next.step + 1
      settle(results)
      const due = (cadence: Cadence) =>
        cadence === "epoch"
          ? endsEpoch || step === totalSteps
          : cadence !== "never" && (step % cadence === 0 || step === totalSteps)
      const evaluates = validation.wanted && due(options.evaluateEvery)
      const saves = due(options.saveEvery)
      if (evaluates || saves || performance.now() >= until) return { evaluates, saves }
    }
    return undefined
  }
  return { take, drain, position: () => ({ epoch, stepInEpoch, tokens }) }
}

/** Trains to the end, or until interruption writes a checkpoint. Gives why the run ended. */
export function trainLoop(
  parts: LoopParts,
): Effect.Effect<TrainStop["reason"], TrainError, FileSystem.FileSystem> {
  const { plan, session, telemetry, validation, checkpoints } = parts
  const { emit } = telemetry
  const steps = makeSteps(parts)
  /** Works on steps, then reports those that are finished, also where a later one failed. */
  const reporting = <A>(work: () => Promise<A>) =>
    // Uninterrupted, because a promise goes on anyway.
    Effect.exit(Effect.uninterruptible(attemptPromise(work))).pipe(
      Effect.tap(() => telemetry.report),
      Effect.flatten,
    )
  const save = Effect.gen(function* () {
    const state = session.state()
    const place = { ...steps.position(), ...validation.state(), seconds: telemetry.seconds() }
    const path = yield* checkpoints.save({ version: 1, ...state, ...place })
    if (path !== undefined) yield* emit({ type: "checkpoint", step: state.step, path })
  })
  const stop = (reason: TrainStop["reason"]) =>
    Effect.suspend(() => {
      const { step } = session.state()
      const bestStep = validation.bestStep()
      const restored = bestStep === undefined || reason === "interrupted" || reason === "failed" ? {} : { bestStep }
      return emit({ type: "stop", step, reason, seconds: telemetry.seconds(), ...restored })
    })
  const evaluateAndSave = ({ evaluates, saves }: Due) =>
    Effect.gen(function* () {
      const progress = evaluates && (yield* validation.evaluate(session.state().step, emit))
      if (progress || saves) yield* save
    })
  const loop = Effect.gen(function* () {
    yield* parts.begin
    for (let due = yield* reporting(steps.take); due !== undefined; due = yield* reporting(steps.take)) {
      if (!due.evaluates && !due.saves) continue
      yield* reporting(steps.drain)
      // Uninterrupted, so that a checkpoint never lacks the evaluation of its own step.
      yield* Effect.uninterruptible(evaluateAndSave(due))
      telemetry.mark()
    }
    telemetry.endTracing()
    yield* reporting(steps.drain)
    yield* save
    const { step } = session.state()
    yield* validation.restoreBest(step)
    const reason = validation.exhausted() && step < plan.totalSteps ? "early-stopping" as const : "finished" as const
    yield* stop(reason)
    return reason
  })
  return loop.pipe(Effect.onExit((exit) => {
    if (Exit.isSuccess(exit)) return Effect.void
    const end = Cause.hasInterruptsOnly(exit.cause)
      ? Effect.andThen(reporting(steps.drain), Effect.andThen(save, stop("interrupted")))
      // A step that fails must not hide the first failure.
      : Effect.andThen(Effect.exit(attemptPromise(session.drain)), stop("failed"))
    return Effect.ignore(end)
  }))
}
