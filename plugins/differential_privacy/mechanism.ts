import type { GradientTransforms } from "../../core/contracts/gradient_transform.ts"
import type { Clipping } from "./clip.ts"
import { addNoise } from "./noise/add_noise.ts"

/** Options on which clipping and noise depend. */
export interface MechanismOptions {
  /** Id of the plugin. */
  readonly id: string
  /** The bound of an example's norm, or the first one. */
  readonly maxGradNorm: number
  /** For a bound that moves: the share of the examples whose norm is to be within it. */
  readonly targetQuantile: number
  /** For a bound that moves: the fall of its logarithm for each 1 by which that share is too large. */
  readonly clippingLearningRate: number
}

/** A way to clip with the noise that belongs to it. */
export type Mechanism = (options: MechanismOptions) => {
  /**
   * The transforms of a run with a noise multiplier, and with the examples that a step is planned for. Throws PluginError
   * where they do not fit.
   */
  readonly withNoise: (
    noiseMultiplier: number,
    examples: number,
  ) => Required<Pick<GradientTransforms, "example" | "task">> & Pick<GradientTransforms, "measures">
  /** The way to clip in words. */
  readonly told: string
}

/** Clipping to the same bound in all steps. @param name As the option spells it. */
export const toConstant = (name: string, clip: Clipping): Mechanism => ({ maxGradNorm }) => ({
  withNoise: (noiseMultiplier) => ({
    example: (gradients) => clip(gradients, maxGradNorm),
    task: {
      update: (tasks, state, context) => [addNoise(tasks, noiseMultiplier * maxGradNorm, context), state],
    },
  }),
  told: `${name} clipping to ${maxGradNorm}`,
})
