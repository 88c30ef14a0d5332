import type { TrainerState } from "./checkpoint.ts"
import type { Best } from "../loop/validation.ts"

/** Where a run begins or goes on. */
export interface Start {
  readonly state: TrainerState
  readonly best?: Best | undefined
  /** Step of the checkpoint that the run goes on from. */
  readonly resumedFrom?: number
}

/** The start of a run that goes on from no checkpoint. */
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
