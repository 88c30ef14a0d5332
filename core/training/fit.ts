import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Contribution } from "../contracts/contribution.ts"
import { tokenizerOf } from "../inference/tokenizer_option.ts"
import type { Model } from "../model/model.ts"
import { OBJECT, wrongArgument } from "../options/argument.ts"
import { attempt, attemptPromise } from "./loop/attempt.ts"
import { type Plan, planRun } from "./plan.ts"
import { makeGuards } from "./loop/guards.ts"
import { trainLoop } from "./loop/loop.ts"
import { fullOptions, type TrainOptions } from "./options.ts"
import { makeRun, type Run, type TrainError } from "./run_folder/run.ts"
import { FRESH } from "./run_folder/start.ts"
import { session as openSession } from "./session.ts"
import { makeTelemetry, type Telemetry } from "./loop/telemetry.ts"
import { TrainingError } from "./training_error.ts"
import { isStreamed, type TrainingData } from "./loop/training_data.ts"
import { makeValidation } from "./loop/validation.ts"

/** Trains a model. Options, data and plugins are checked before any work; an interruption (Ctrl-C) writes a checkpoint. */
export function fit(
  model: Model,
  data: TrainingData,
  options: TrainOptions = {},
): Effect.Effect<Run, TrainError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const full = yield* attempt(() => fullOptions(options))
    const wrong = wrongArgument("data", data, OBJECT)
    if (wrong !== undefined) return yield* new TrainingError({ reason: "Options", message: `${wrong}: give { train }` })
    const tokenizer = yield* tokenizerOf(model, full.tokenizer)
    const streaming = isStreamed(data.train)
      ? (yield* Effect.promise(() => import("../data/streamed.ts"))).makeStreamSource
      : undefined
    const plan = yield* attempt(() => planRun(model, data, tokenizer, full, streaming))
    if (plan.stream !== undefined) {
      yield* Effect.addFinalizer(() => plan.stream!.close)
      yield* plan.stream.prepare
    }
    const { totalSteps } = plan
    const folders = full.runFolder === undefined
      ? undefined
      : yield* Effect.promise(() => import("./run_folder/mod.ts"))
    const base = folders === undefined ? {} : { base: yield* attemptPromise(() => folders.fingerprint(model)) }
    const config = { ...plan.config(), ...base }
    const folder = yield* folders?.openRunFolder({
      path: full.runFolder!,
      config,
      resume: full.resume,
    }) ?? Effect.undefined
    const session = yield* openSession({ ...model, contributions: plan.contributions }, plan.session)
    const checkpoints = folder && folders?.makeRunCheckpoints(model, plan, session, folder)
    const start = checkpoints === undefined ? FRESH : yield* checkpoints.start(full.resume)
    if (start.resumedFrom === undefined && plan.contributions.some(hasStart)) {
      const { startStates } = yield* Effect.promise(() => import("./loop/start_states.ts"))
      yield* attemptPromise(() => startStates({ model, session, plan, batchSize: full.batchSize }))
    }
    const log = folder === undefined ? undefined : yield* folder.openLog(start.state.step)
    const telemetry = makeTelemetry({
      model,
      contributions: plan.contributions,
      options: full,
      totalSteps,
      folder,
      log,
      from: start.state,
    })
    const guards = makeGuards({
      learningRate: full.learningRate,
      totalSteps,
      lastCheckpoint: () => checkpoints?.last(),
    })
    const validation = makeValidation({
      model,
      plan,
      guards,
      patience: full.earlyStopping?.patience,
      withoutProgress: start.state.withoutProgress,
      best: start.best,
    })
    const forgetting = options.retain === undefined
      ? undefined
      : (yield* Effect.promise(() => import("./loop/retained.ts"))).followRetained({
        model,
        plan,
        emit: telemetry.emit,
        from: start.state.step,
        log: folder === undefined ? [] : yield* folder.events,
      })
    const begin = Effect.andThen(
      announce(model, plan, telemetry, { resumedFrom: start.resumedFrom, learningRate: full.learningRate }),
      forgetting?.before ?? Effect.void,
    )
    const reason = yield* trainLoop({
      plan,
      options: full,
      session,
      start,
      guards,
      telemetry,
      validation,
      checkpoints,
      begin,
      end: forgetting?.after ?? (() => Effect.void),
    })
    const bestStep = validation.bestStep()
    const account = {
      steps: session.state().step,
      ...(bestStep === undefined ? {} : { bestStep }),
      seconds: telemetry.seconds(),
      peakMemoryBytes: telemetry.peakMemoryBytes(),
      ...plan.counts,
      ...telemetry.figures(session.state().step),
      ...(forgetting === undefined ? {} : { forgetting: forgetting.scores() }),
    }
    return makeRun({ model, config, folder, reason, account })
  }))
}

/** Whether a plugin fills states of its transforms from rows. */
const hasStart = ({ gradients }: Contribution) =>
  gradients?.task?.start !== undefined || gradients?.total?.start !== undefined

/** Emits the start of the run and messages about it. */
function announce(
  model: Model,
  plan: Plan,
  { emit }: Telemetry,
  { resumedFrom, learningRate }: { readonly resumedFrom: number | undefined; readonly learningRate: number },
) {
  return Effect.gen(function* () {
    yield* emit({
      type: "start",
      model: plan.name,
      methods: model.contributions.map(({ id }) => id),
      backend: model.backend.info.name,
      ...plan.counts,
      trainExamples: plan.stream?.count ??
        Object.values(plan.train).reduce((sum, { examples }) => sum + examples.length, 0),
      totalSteps: plan.totalSteps,
      ...(resumedFrom === undefined ? {} : { resumedFrom }),
    })
    const { messagesOf } = yield* Effect.promise(() => import("./loop/messages.ts"))
    for (const message of messagesOf(plan, learningRate)) yield* emit(message)
  })
}
