/**
 * Adaptive clipping (Andrew, Thakkar, McMahan, Ramaswamy 2021, algorithm 1): the bound follows a quantile of the examples'
 * norms, known by a noisy count.
 * @module
 */
import type {
  GradientTransforms,
  StateSpec,
  TaskTransformContext,
  TransformState,
} from "../../core/contracts/gradient_transform.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { exampleNorms, scaledTo } from "./clip.ts"
import type { Mechanism, MechanismOptions } from "./mechanism.ts"
import { addNoise } from "./noise/add_noise.ts"
import { secureNormal } from "./noise/normal.ts"

/** Standard deviations of the noise of a step. */
export interface AdaptiveNoise {
  /** Of the gradients' sum, in units of the bound. */
  readonly gradients: number
  /** Of the count. */
  readonly count: number
  /** Examples that a step is planned for. */
  readonly examples: number
}

/** Examples of a step for each 1 of the count's standard deviation: the paper's value. */
const EXAMPLES_PER_DEVIATION = 20

/** Stream of the count's noise: those of the gradients are numbered from 0, one for each parameter. */
export const COUNT_STREAM = 2 ** 31 - 1

/** The bound as state, and its transforms: `example` clips to it and counts, `task` adds noise and moves it. */
export function adaptiveTransforms(
  { maxGradNorm, targetQuantile, clippingLearningRate }: Omit<MechanismOptions, "id">,
  noise: AdaptiveNoise,
): Required<Pick<GradientTransforms, "measures" | "example" | "task">> {
  const init = (): StateSpec => ({
    bound: { shape: [], initializer: { kind: "values", data: Float32Array.of(maxGradNorm) } },
  })
  /** The bound of the next step. */
  const moved = (bound: Tensor, { measures, step, secretKey }: TaskTransformContext): Tensor => {
    const count = [...measures.values()].map(({ within }) => within).reduce((a, b) => ops.add(a, b))
    const noisy = ops.add(count, ops.mul(noise.count, secureNormal(secretKey!, step, COUNT_STREAM, [])))
    const share = ops.add(ops.div(noisy, noise.examples), 0.5)
    return ops.mul(bound, ops.exp(ops.mul(-clippingLearningRate, ops.sub(share, targetQuantile))))
  }
  return {
    measures: ["within"],
    example: (gradients, { state: { bound } }) => {
      const norms = exampleNorms(gradients)
      // An example changes this sum by 1/2, where it would change a count by 1.
      const within = ops.where(ops.less(bound, norms), -0.5, 0.5)
      return { gradients: scaledTo(gradients, norms, bound), measures: { within } }
    },
    task: {
      init,
      update: (tasks, { bound }: TransformState, context) => [
        addNoise(tasks, ops.mul(noise.gradients, bound), context),
        { bound: moved(bound, context) },
      ],
    },
  }
}

/**
 * Noise with which both releases of a step, gradients and count, together spend what gradients alone spend with a noise
 * multiplier (theorem 1). Throws {@link PluginError} where no noise does.
 */
export function adaptiveNoise(id: string, noiseMultiplier: number, examples: number): AdaptiveNoise {
  const count = examples / EXAMPLES_PER_DEVIATION
  const most = 2 * count
  if (noiseMultiplier < most) {
    return { gradients: (noiseMultiplier ** -2 - most ** -2) ** -0.5, count, examples }
  }
  const least = Math.floor(noiseMultiplier * EXAMPLES_PER_DEVIATION / 2) + 1
  throw new PluginError({
    plugin: id,
    message: `${id}: adaptive clipping counts the examples of a step, and the count of ${examples} needs a noise ` +
      `multiplier below ${most}, got ${noiseMultiplier}: take ${least} examples or more in a step, a smaller ` +
      'noiseMultiplier (a larger targetEpsilon), or clipping "flat"',
  })
}

/** Clipping by the norm over all parameters to a bound that moves. */
export const adaptive: Mechanism = (options) => {
  const { id, maxGradNorm, targetQuantile } = options
  const withNoise = (noiseMultiplier: number, examples: number) =>
    adaptiveTransforms(options, adaptiveNoise(id, noiseMultiplier, examples))
  return { withNoise, told: `adaptive clipping from ${maxGradNorm} to the norms' quantile ${targetQuantile}` }
}
