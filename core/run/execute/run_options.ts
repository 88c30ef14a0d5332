import type * as Effect from "effect/Effect"
import type { TrainEvent, TrainMessage } from "../../contracts/train_event.ts"
import type { Model } from "../../model/model.ts"
import type { ReportSection } from "../../report/report_section.ts"

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
  /** Further sections of the report, by the model that was trained. Default: none. */
  readonly sections?: (model: Model) => ReadonlyArray<ReportSection>
}

/** Tells a line. */
export type Tell = (text: string, level?: TrainMessage["level"]) => Effect.Effect<void>
