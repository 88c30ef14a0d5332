/** Steps of one kind: Poisson sampling, then a sum of clipped gradients with Gaussian noise. */
export interface PrivateSteps {
  /** Standard deviation of the noise, in units of the clipping norm. Above 0. */
  readonly noiseMultiplier: number
  /** Probability with which each example is in a step. Above 0, at most 1. */
  readonly sampleRate: number
  /** Number of steps. */
  readonly steps: number
}

/** Computes the privacy loss of a run: (epsilon, delta) for adding or removing one example. */
export interface Accountant {
  /** As options spell it. */
  readonly name: string
  /** An upper bound of epsilon after these steps. */
  readonly epsilon: (history: ReadonlyArray<PrivateSteps>, delta: number) => number
}
