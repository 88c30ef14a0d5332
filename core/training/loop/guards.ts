import type { StepResult } from "../session.ts"
import { TrainingError } from "../training_error.ts"

/** Steps at the start whose gradients may be exactly zero before that is taken for a mistake. */
const ZERO_STEPS = 2

/** Checks that stop a run which cannot teach anything. */
export interface Guards {
  /** Throws {@link TrainingError} for a step that is not finite, all masked, or among first steps without a gradient. */
  readonly step: (result: StepResult, empty: boolean) => void
  /** Throws {@link TrainingError} for a validation loss that is not finite. */
  readonly validation: (step: number, task: string, loss: number) => void
}

/**
 * Makes the guards of a run.
 *
 * @param lastCheckpoint Path of the last checkpoint, if there is one.
 */
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
    return checkpoint === undefined
      ? new TrainingError({ reason: "NotFinite", message: what, step })
      : new TrainingError({
        reason: "NotFinite",
        message: `${what}; the last good checkpoint is ${checkpoint}`,
        step,
        checkpoint,
      })
  }
  return {
    step: ({ step, loss, weight, gradientNorm }, empty) => {
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        throw notFinite(
          step,
          `step ${step}: the loss is ${loss} and the gradient's norm ${gradientNorm}; lower the learning ` +
            `rate (${learningRate}) or look at the data`,
        )
      }
      if (empty) return
      if (weight === 0) {
        const message = `step ${step}: every label of its batch is masked, so there is nothing to learn from`
        throw new TrainingError({ reason: "AllMasked", message, step })
      }
      if (gradientNorm !== 0 || step > ZERO_STEPS) return
      if (++zeroSteps < Math.min(ZERO_STEPS, totalSteps)) return
      const message = `the gradients of the first ${zeroSteps === 1 ? "step" : `${zeroSteps} steps`} are all exactly ` +
        `zero: nothing that is trained has any effect on the loss; look at what the methods change and how it starts`
      throw new TrainingError({ reason: "ZeroGradient", message, step })
    },
    validation: (step, task, loss) => {
      if (!Number.isFinite(loss)) {
        throw notFinite(step, `after step ${step} the validation loss of "${task}" is ${loss}`)
      }
    },
  }
}
