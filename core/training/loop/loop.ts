/**
 * The training loop: steps, evaluations, checkpoints.
 *
 * Steps run in a plain loop for up to {@link MOMENT}, or until an evaluation or a checkpoint is due; then Effect reports
 * them, evaluates and saves. A step needs no fiber.
 * @module
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type { Position, Step } from "../../contracts/batch_source.ts"
import type { TrainStop } from "../../contracts/train_event.ts"
import type { Batch } from "../../data/batches/batches.ts"
import { attemptPromise } from "./attempt.ts"
import type { Plan } from "../plan.ts"
import type { TrainerState } from "../run_folder/checkpoint.ts"
import type { Guards } from "./guards.ts"
import type { Cadence, FullOptions } from "../options.ts"
import type { TrainError } from "../run_folder/run.ts"
import type { RunCheckpoints } from "../run_folder/run_checkpoints.ts"
import { scheduleFactor } from "../optimizers/schedule.ts"
import type { Session, StepResult } from "../session.ts"
import type { PostedStep, Telemetry } from "./telemetry.ts"
import type { Start } from "../run_folder/start.ts"
import { TrainingError } from "../training_error.ts"
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
  /** Undefined without a run folder. */
  readonly checkpoints: RunCheckpoints | undefined
  /** Runs before the first step. */
  readonly begin: Effect.Effect<void, TrainError>
  /** Runs after the last step `step`, with the weights that the run ends with. */
  readonly end: (step: number) => Effect.Effect<void, TrainError>
}

/** Milliseconds between reports. */
const MOMENT = 150

/** Work that is due before the next step. */
interface Due {
  readonly evaluates: boolean
  readonly saves: boolean
  /** Set if the source of batches must be awaited: see {@link Steps.wait}. */
  readonly pull?: Pull
}

type Pull = Effect.Effect<Step | undefined, Error>
type Pulled = Exit.Exit<Step | undefined, Error>

/** The plain part of the loop. */
interface Steps {
  /** Takes steps until something is due or {@link MOMENT} is over; undefined at the end of the run. */
  readonly take: () => Promise<Due | undefined>
  /** Runs a pull; the next {@link Steps.take} uses its result. */
  readonly wait: (pull: Pull) => Effect.Effect<void>
  /** Waits for posted steps. */
  readonly drain: () => Promise<void>
  /** Posts a step that was already pulled, since the source's state includes it; then drains. Returns what is due. */
  readonly finish: () => Promise<Due | undefined>
  readonly position: () => Pick<TrainerState, "epoch" | "stepInEpoch" | "tokens">
}

function makeSteps({ plan, options, session, start, guards, telemetry, validation }: LoopParts): Steps {
  const { epochSteps, totalSteps, warmup } = plan
  let position: Position = { epoch: start.state.epoch, step: start.state.stepInEpoch }
  let { step, tokens } = start.state
  let pulled: Pulled | undefined
  const posted: Array<PostedStep & { readonly empty: boolean }> = []
  const settle = (results: ReadonlyArray<StepResult>) => {
    for (const result of results) {
      const own = posted.shift()!
      guards.step(result, own.empty)
      telemetry.step(result, own)
    }
  }
  const drain = async () => settle(await session.drain())
  const post = async (next: Step) => {
    const batches = plan.collate(next, step)
    const trace = telemetry.tracing()
    // No other step may run while it is timed.
    if (trace) await drain()
    const learningRate = options.learningRate * scheduleFactor(options.schedule, step, { warmup, total: totalSteps })
    const own = batches.reduce((sum, batch) => sum + countTokens(batch), 0)
    const length = epochSteps[position.epoch]
    const epoch = position.epoch + (position.step + 1) / length
    posted.push({ epoch, learningRate, tokens: own, empty: batches.length === 0 })
    const results = await session.post({ batches, trace }, learningRate)
    step++
    tokens += own
    position = position.step + 1 === length
      ? { epoch: position.epoch + 1, step: 0 }
      : { ...position, step: position.step + 1 }
    settle(results)
  }
  const isDue = (cadence: Cadence) =>
    cadence === "epoch"
      ? position.step === 0 || step === totalSteps
      : cadence !== "never" && (step % cadence === 0 || step === totalSteps)
  const takeOne = async (): Promise<Due | undefined> => {
    if (step >= totalSteps || validation.exhausted()) return undefined
    const pull = pulled ?? plan.batches.source.next(position, session.feedback())
    if (!isExit(pull)) return { evaluates: false, saves: false, pull }
    pulled = undefined
    const next = stepOf(pull, step + 1)
    if (next === undefined) return undefined
    await post(next)
    return { evaluates: validation.wanted && isDue(options.evaluateEvery), saves: isDue(options.saveEvery) }
  }
  const take = async () => {
    const until = performance.now() + MOMENT
    for (;;) {
      const due = await takeOne()
      const now = due === undefined || due.pull !== undefined || due.evaluates || due.saves
      if (now || performance.now() >= until) return due
    }
  }
  return {
    take,
    wait: (pull) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.map(Effect.exit(restore(pull)), (exit) => {
          pulled = exit
        })
      ),
    drain,
    finish: async () => {
      const due = pulled !== undefined && Exit.isSuccess(pulled) ? await takeOne() : undefined
      await drain()
      return due
    },
    position: () => ({ epoch: position.epoch, stepInEpoch: position.step, tokens }),
  }
}

/** True if a pull is already its result. */
const isExit = (pull: Pull): pull is Pulled => Exit.isExit(pull)

/** The pulled step. Throws {@link TrainingError} if the source failed. */
function stepOf(pulled: Pulled, step: number): Step | undefined {
  if (Exit.isSuccess(pulled)) return pulled.value
  const error = Cause.squash(pulled.cause)
  if (error instanceof TrainingError) throw error
  const message = `step ${step}: the source of batches failed: ${error instanceof Error ? error.message : error}`
  throw new TrainingError({ reason: "Batches", message, step })
}

/** Tokens of a batch without padding. */
function countTokens({ lengths, rows }: Batch): number {
  return lengths.reduce((sum, length, i) => sum + (rows[i] < 0 ? 0 : length), 0)
}

/** Trains to the end; an interruption writes a checkpoint. Returns the reason of the end. */
export function trainLoop(parts: LoopParts): Effect.Effect<TrainStop["reason"], TrainError, FileSystem.FileSystem> {
  const { plan, session, telemetry, validation, checkpoints } = parts
  const { emit } = telemetry
  const steps = makeSteps(parts)
  /** Runs work, then reports finished steps, even if a later one failed. */
  const reporting = <A>(work: () => Promise<A>) =>
    // A promise cannot be interrupted.
    Effect.exit(Effect.uninterruptible(attemptPromise(work))).pipe(
      Effect.tap(() => telemetry.report),
      Effect.flatten,
    )
  const save = Effect.gen(function* () {
    if (checkpoints === undefined) return
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
  /** Kept until it is done: a checkpoint always includes the evaluation of its own step. */
  let owed: Due | undefined
  const slice = reporting(async () => owed = await steps.take())
  const taking = inOnePromise(slice, (due) => due === undefined || due.evaluates || due.saves || due.pull !== undefined)
  const evaluateAndSave = Effect.gen(function* () {
    const { evaluates, saves } = owed!
    const progress = evaluates && (yield* validation.evaluate(session.state().step, emit))
    owed = undefined
    if (progress || saves) yield* save
  })
  const loop = Effect.gen(function* () {
    yield* parts.begin
    for (let due = yield* taking; due !== undefined; due = yield* taking) {
      if (due.pull !== undefined) {
        yield* Effect.all([steps.wait(due.pull), reporting(steps.drain)], { concurrency: 2, discard: true })
      }
      if (!due.evaluates && !due.saves) continue
      yield* reporting(steps.drain)
      yield* Effect.uninterruptible(evaluateAndSave)
      telemetry.mark()
    }
    telemetry.endTracing()
    yield* reporting(steps.drain)
    yield* save
    const { step } = session.state()
    yield* validation.restoreBest(step)
    yield* parts.end(step)
    const reason = validation.exhausted() && step < plan.totalSteps ? "early-stopping" as const : "finished" as const
    yield* stop(reason)
    return reason
  })
  return loop.pipe(Effect.onExit((exit) => {
    if (Exit.isSuccess(exit)) return Effect.void
    if (!Cause.hasInterruptsOnly(exit.cause)) {
      // A later failure must not hide the first one.
      return Effect.ignore(Effect.andThen(Effect.exit(attemptPromise(session.drain)), stop("failed")))
    }
    return Effect.ignore(Effect.gen(function* () {
      const due = yield* reporting(steps.finish)
      owed = due ?? owed
      if (owed?.evaluates) yield* evaluateAndSave
      yield* save
      yield* stop("interrupted")
    }))
  }))
}

/**
 * Repeats an effect until its value is wanted; an interruption waits for the repetition under way. One promise for all: in
 * Deno a fiber keeps some hundred bytes of each of its suspensions for as long as it lives.
 */
function inOnePromise<A, E, R>(effect: Effect.Effect<A, E, R>, wanted: (value: A) => boolean): Effect.Effect<A, E, R> {
  return Effect.flatMap(Effect.context<R>(), (context) =>
    Effect.callback<A, E>((resume, signal) => {
      const run = Effect.runPromiseExitWith(context)
      const repeat = async () => {
        for (;;) {
          const exit = await run(effect, { signal })
          if (signal.aborted || Exit.isFailure(exit) || wanted(exit.value)) return exit
        }
      }
      const done = repeat()
      done.then(resume)
      return Effect.promise(() => done)
    }))
}
