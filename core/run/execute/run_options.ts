import type * as Effect from "effect/Effect"
import type { TrainEvent } from "../../contracts/train_event.ts"
import type { Review } from "./review.ts"

/** How a run is carried out; what decides its outcome is in the run itself. */
export interface RunOptions {
  /** Resume the run in the run folder. Default false. */
  readonly resume?: boolean
  /** Replace the run in the run folder. Default false. */
  readonly overwrite?: boolean
  /** Time each kernel call of a step (about the tenth). Default false. */
  readonly trace?: boolean
  /** Receives every event: those of training, and lines about model, data and scores as messages. */
  readonly observe?: (event: TrainEvent) => Effect.Effect<void>
  /** What else is accounted for in report and summary. Default: nothing. */
  readonly reviews?: ReadonlyArray<Review>
}
