import type { TrainerState } from "./checkpoint.ts"
import type { Best } from "../loop/validation.ts"

/** Start of a run, from a checkpoint or from zero. */
export interface Start {
  readonly state: TrainerState
  readonly best?: Best | undefined
  /** Step of the checkpoint. */
  readonly resumedFrom?: number
}

/** The start of a new run. */
export const FRESH: Start = {
  state: {
    version: 1,
    step: 0,
    feedback: [],
    epoch: 0,
    stepInEpoch: 0,
    tokens: 0,
    seconds: 0,
    withoutProgress: 0,
    batches: {},
  },
}
