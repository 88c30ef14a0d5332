import type { Accountant, PrivateSteps } from "./accountant.ts"

/** Greatest noise multiplier that is tried. */
const MOST_NOISE = 1e6

/** The result spends at most this much less than the target. */
const TOLERANCE = 0.01

/**
 * Noise multiplier with which steps spend a target epsilon, or up to 0.01 less; undefined if no noise is enough, because
 * sampling itself or the accountant's margin spends more.
 */
export function noiseFor(
  accountant: Accountant,
  target: { readonly epsilon: number; readonly delta: number },
  steps: Omit<PrivateSteps, "noiseMultiplier">,
): number | undefined {
  const epsilonAt = (noiseMultiplier: number) => accountant.epsilon([{ ...steps, noiseMultiplier }], target.delta)
  let high = 10
  let spent = epsilonAt(high)
  for (; !(spent <= target.epsilon); spent = epsilonAt(high)) {
    high *= 2
    if (high > MOST_NOISE) return undefined
  }
  for (let low = 0; target.epsilon - spent > TOLERANCE;) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    const epsilon = epsilonAt(middle)
    if (epsilon > target.epsilon) low = middle
    else [high, spent] = [middle, epsilon]
  }
  return high
}
