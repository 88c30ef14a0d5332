/**
 * A tiny model of two tasks, and their data.
 * @module
 */
import * as Effect from "effect/Effect"
import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import type { TrainOptions } from "../../../core/training/options.ts"
import { fit } from "../../../core/training/fit.ts"
import { config, texts, tokenizer, weightsOf } from "../../core/training/support.ts"

/** What a text is about, and a score for its length. */
export const tasks = { topic: Task.classification(["food", "sky"]), size: Task.regression() }

/** Rows of both. */
export const data = {
  topic: texts(20),
  size: fromRows(texts(11).rows.slice(4).map(({ text }) => ({ text, score: text.length / 40 })), {
    text: "text",
    scores: ["score"],
  }),
}

/** The model. */
export const initialized = (seed = 1): ReturnType<typeof initialize> => initialize(config, { tasks, seed })

/** What a run did. */
export interface Trained {
  readonly events: ReadonlyArray<TrainEvent>
  readonly weights: Float32Array
}

/** Trains the model on both tasks. */
export const trained = (more: TrainOptions = {}) =>
  Effect.gen(function* () {
    const events: Array<TrainEvent> = []
    const observe = (event: TrainEvent) =>
      Effect.suspend(() => {
        events.push(event)
        return more.observe?.(event) ?? Effect.void
      })
    const model = yield* initialized()
    const options = { tokenizer, epochs: 2, batchSize: 4, learningRate: 1e-2, saveEvery: 3, evaluateEvery: 4 } as const
    const run = yield* fit(model, { train: data, validation: data }, { ...options, ...more, observe })
    return { run, model, events, weights: yield* Effect.promise(() => weightsOf(model)) }
  })
