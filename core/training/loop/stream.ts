/**
 * A training run as a stream of Effect: apart from the main entry, as a page that uses `Trainer.fit` needs no streams.
 *
 * ```ts
 * import { Dataset, Model, Task } from "@espalier/espalier"
 * import { stream } from "@espalier/espalier/stream"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * export const losses = Effect.gen(function* () {
 *   const reviews = Dataset.csv("reviews.csv", { text: "review", label: "stars" })
 *   const data = yield* reviews.pipe(Dataset.split({ validation: 0.1 }))
 *   const model = yield* Model.load("minilm", { task: Task.classification(data.labels) })
 *   const steps = Stream.filter(stream(model, data), ({ type }) => type === "step")
 *   yield* Stream.runForEach(steps, (step) => Effect.log(step))
 * })
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { TrainEvent } from "../../contracts/train_event.ts"
import type { Model } from "../../model/model.ts"
import { fit } from "../fit.ts"
import type { TrainOptions } from "../options.ts"
import type { TrainError } from "../run_folder/run.ts"
import type { Split, TrainingData } from "./training_data.ts"

export type { Split, TrainError, TrainingData }

/** A run as a stream of its events. It waits for the reader; if the reader stops, it writes a checkpoint and ends. */
export function stream(
  model: Model,
  data: TrainingData,
  options: TrainOptions = {},
): Stream.Stream<TrainEvent, TrainError, FileSystem.FileSystem> {
  return Stream.callback<TrainEvent, TrainError, FileSystem.FileSystem>((queue) => {
    const { observe } = options
    const offer = (event: TrainEvent) =>
      Effect.andThen(observe?.(event) ?? Effect.void, Effect.asVoid(Queue.offer(queue, event)))
    return Effect.andThen(fit(model, data, { ...options, observe: offer }), Queue.end(queue))
  })
}
