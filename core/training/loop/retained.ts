/**
 * What a run forgets: scores on old rows before the first step and after the last. Imported when a run asks for it, so that
 * it is no part of a page's first load.
 * @module
 */
import * as Effect from "effect/Effect"
import { type Metrics, RETAINED, type RetainedScores, type TrainEvent } from "../../contracts/train_event.ts"
import type { Model } from "../../model/model.ts"
import { evaluateExamples } from "../evaluate.ts"
import type { Plan } from "../plan.ts"
import type { TrainError } from "../run_folder/run.ts"
import { modelOf } from "../step/task_named.ts"
import { attemptPromise } from "./attempt.ts"
import type { Emit } from "./telemetry.ts"

/** Old rows of a run. */
export interface Retained {
  /** Judges them before the first step, unless an earlier part of the run has. */
  readonly before: Effect.Effect<void, TrainError>
  /** Judges them after the last step. */
  readonly after: (step: number) => Effect.Effect<void, TrainError>
  /** By name, once both are done. */
  readonly scores: () => Readonly<Record<string, RetainedScores>>
}

/**
 * @param from Step that the run starts from; above 0 the scores before are those of its log.
 * @param log Events of the run so far.
 */
export function followRetained({ model, plan: { retained, evaluation }, emit, from, log }: {
  readonly model: Model
  readonly plan: Plan
  readonly emit: Emit
  readonly from: number
  readonly log: ReadonlyArray<TrainEvent>
}): Retained {
  const names = Object.keys(retained)
  let before = scoresBefore(log)
  let after: Scores = {}
  const judge = (step: number): Effect.Effect<Scores, TrainError> =>
    Effect.gen(function* () {
      const found: Record<string, Metrics> = {}
      for (const name of names) {
        const { metrics } = yield* attemptPromise(() =>
          evaluateExamples(modelOf(model, name), retained[name], evaluation)
        )
        found[name] = metrics
        yield* emit({ type: "evaluation", step, split: `${RETAINED}${name}`, metrics })
      }
      return found
    })
  return {
    before: from > 0 ? Effect.void : Effect.map(judge(0), (found) => {
      before = found
    }),
    after: (step) =>
      Effect.map(judge(step), (found) => {
        after = found
      }),
    scores: () => {
      const judged = names.filter((name) => Object.hasOwn(before, name) && Object.hasOwn(after, name))
      return Object.fromEntries(judged.map((name) => [name, { before: before[name], after: after[name] }]))
    },
  }
}

type Scores = Readonly<Record<string, Metrics>>

/** The scores before the first step that a log has, by name. */
function scoresBefore(events: ReadonlyArray<TrainEvent>): Scores {
  return Object.fromEntries(
    events.flatMap((event) =>
      event.type === "evaluation" && event.step === 0 && event.split.startsWith(RETAINED)
        ? [[event.split.slice(RETAINED.length), event.metrics]]
        : []
    ),
  )
}
