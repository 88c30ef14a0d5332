import type { StepResult } from "../session.ts"
import { TrainingError } from "../training_error.ts"

/** This many first steps with gradients of exactly zero are an error. */
const ZERO_STEPS = 2

/** Checks that stop a run which learns nothing. */
export interface Guards {
  /** Throws {@link TrainingError} if a step is not finite, all labels are masked, or the first gradients are zero. */
  readonly step: (result: StepResult, empty: boolean) => void
  /** Throws {@link TrainingError} if a validation loss is not finite. */
  readonly validation: (step: number, task: string, loss: number) => void
}

/** @param lastCheckpoint Path of the last checkpoint, if there is one. */
export function makeGuards(
  { learningRate, totalSteps, lastCheckpoint }: {
    readonly learningRate: number
    readonly totalSteps: number
    readonly lastCheckpoint: () => string | undefined
  },
): Guards {
  let zeroSteps = 0
  const notFinite = (step: number, what: string) => {
    const checkpoint = lastCheckpoint()
    if (checkpoint === undefined) return new TrainingError({ reason: "NotFinite", message: what, step })
    const message = `${what}; the last good checkpoint is ${checkpoint}`
    return new TrainingError({ reason: "NotFinite", message, step, checkpoint })
  }
  return {
    step: ({ step, loss, weight, gradientNorm }, empty) => {
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        const what = `step ${step}: the loss is ${loss} and the gradient's norm ${gradientNorm}`
        throw notFinite(step, `${what}; lower the learning rate (${learningRate}) or look at the data`)
      }
      if (empty) return
      if (weight === 0) {
        const message = `step ${step}: every label is masked, so there is nothing to learn`
        throw new TrainingError({ reason: "AllMasked", message, step })
      }
      if (gradientNorm !== 0 || step > ZERO_STEPS) return
      if (++zeroSteps < Math.min(ZERO_STEPS, totalSteps)) return
      const steps = zeroSteps === 1 ? "step" : `${zeroSteps} steps`
      const message =
        `the gradients of the first ${steps} are all exactly zero: the trained parameters have no effect ` +
        "on the loss; look at the sites of the methods and at their initial values"
      throw new TrainingError({ reason: "ZeroGradient", message, step })
    },
    validation: (step, task, loss) => {
      if (!Number.isFinite(loss)) {
        throw notFinite(step, `after step ${step} the validation loss of "${task}" is ${loss}`)
      }
    },
  }
}
