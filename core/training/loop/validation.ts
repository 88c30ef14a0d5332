import * as Effect from "effect/Effect"
import type { BackendError } from "../../backend/backend_error.ts"
import type { NamedValues } from "../../contracts/contribution.ts"
import type { Metrics } from "../../contracts/train_event.ts"
import type { DataError } from "../../data/data_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { readParameters, writeParameters } from "../../model/sites/adapters.ts"
import type { Model } from "../../model/model.ts"
import { attempt, attemptPromise } from "./attempt.ts"
import type { Plan } from "../plan.ts"
import { evaluateExamples } from "../evaluate.ts"
import type { Guards } from "./guards.ts"
import type { Emit } from "./telemetry.ts"
import { hasNamedTasks, modelOf } from "../step/task_named.ts"
import type { TrainingError } from "../training_error.ts"

/** The weights of the best evaluation. */
export interface Best {
  readonly step: number
  /** Value of the watched metric. */
  readonly value: number
  readonly values: ReadonlyArray<NamedValues>
}

/** State of validation in checkpoints. */
export interface ValidationState {
  /** The best evaluation so far. */
  readonly best?: { readonly step: number; readonly value: number }
  /** Evaluations since the best one. */
  readonly withoutProgress: number
}

/** Evaluates the validation split, keeps the best weights, and stops a run without progress. */
export interface Validation {
  /** False without a validation split. */
  readonly wanted: boolean
  /** Evaluates after a step; true if its weights are the best so far. */
  readonly evaluate: (
    step: number,
    emit: Emit,
  ) => Effect.Effect<boolean, TrainingError | DataError | BackendError | StorageError>
  /** True if early stopping ends the run. */
  readonly exhausted: () => boolean
  readonly state: () => ValidationState
  /** Step of the best weights. */
  readonly bestStep: () => number | undefined
  /** Writes the best weights into the model, unless it has them at `step`. */
  readonly restoreBest: (step: number) => Effect.Effect<void, BackendError>
}

/** @param patience Evaluations without progress before the run stops. */
export function makeValidation(
  { model, plan, guards, patience = Infinity, withoutProgress: before, best: earlier }: {
    readonly model: Model
    readonly plan: Plan
    readonly guards: Guards
    readonly patience: number | undefined
    readonly withoutProgress: number
    readonly best: Best | undefined
  },
): Validation {
  const { watched } = plan
  let best = earlier
  let withoutProgress = before
  const evaluate: Validation["evaluate"] = (step, emit) =>
    Effect.gen(function* () {
      const found: Array<Metrics> = []
      const named: Array<readonly [string, number]> = []
      for (const [task, examples] of Object.entries(plan.validation)) {
        const { metrics } = yield* attemptPromise(() =>
          evaluateExamples(modelOf(model, task), examples, plan.evaluation)
        )
        found.push(metrics)
        if (hasNamedTasks(model)) {
          Object.entries(metrics).forEach(([name, value]) => named.push([`${task}.${name}`, value]))
        }
        yield* attempt(() => guards.validation(step, task, metrics.loss))
      }
      const mean = (name: string) => found.reduce((sum, metrics) => sum + metrics[name], 0) / found.length
      const shared = Object.keys(found[0]).filter((name) => found.every((metrics) => name in metrics))
      const metrics: Metrics = Object.fromEntries([...shared.map((name) => [name, mean(name)] as const), ...named])
      yield* emit({ type: "evaluation", step, split: "validation", metrics })
      const value = metrics[watched.metric]
      const progress = best === undefined || watched.sign * (value - best.value) > watched.minDelta
      if (progress) best = { step, value, values: yield* readParameters(model, plan.parameters) }
      withoutProgress = progress ? 0 : withoutProgress + 1
      return progress
    })
  return {
    wanted: Object.keys(plan.validation).length > 0,
    evaluate,
    exhausted: () => withoutProgress >= patience,
    state: () => ({
      ...(best === undefined ? {} : { best: { step: best.step, value: best.value } }),
      withoutProgress,
    }),
    bestStep: () => best?.step,
    restoreBest: (step) => best === undefined || best.step === step ? Effect.void : writeParameters(model, best.values),
  }
}
