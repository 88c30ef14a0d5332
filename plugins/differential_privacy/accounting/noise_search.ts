import type { Accountant, PrivateSteps } from "./accountant.ts"
import { rdp } from "./rdp.ts"

/** Greatest noise multiplier that is tried. */
const MOST_NOISE = 1e6

/** The result spends at most this much less than the target. */
const TOLERANCE = 0.01

/** A noise multiplier and the epsilon that it leads to. */
interface Tried {
  readonly noise: number
  readonly epsilon: number
}

/**
 * Noise multiplier with which steps spend a target epsilon, or up to 0.01 less; undefined if no noise is enough, because
 * sampling itself or the accountant's margin spends more.
 */
export function noiseFor(
  accountant: Accountant,
  target: { readonly epsilon: number; readonly delta: number },
  steps: Omit<PrivateSteps, "noiseMultiplier">,
): number | undefined {
  const attempt = (noise: number): Tried => ({
    noise,
    epsilon: accountant.epsilon([{ ...steps, noiseMultiplier: noise }], target.delta),
  })
  // Renyi accounting is fast, and close enough to begin with.
  const begin = accountant === rdp ? undefined : noiseFor(rdp, target, steps)
  let high = attempt(begin ?? 10)
  while (!(high.epsilon <= target.epsilon)) {
    if (high.noise * 2 > MOST_NOISE) return undefined
    high = attempt(high.noise * 2)
  }
  if (target.epsilon - high.epsilon <= TOLERANCE) return high.noise
  let low = attempt(high.noise * 0.9)
  while (low.epsilon <= target.epsilon) {
    high = low
    low = attempt(low.noise * 0.9)
  }
  while (target.epsilon - high.epsilon > TOLERANCE) {
    const middle = attempt(between(low, high, target.epsilon - TOLERANCE / 2))
    if (middle.noise <= low.noise || middle.noise >= high.noise) break
    if (middle.epsilon > target.epsilon) low = middle
    else high = middle
  }
  return high.noise
}

/** Noise for an epsilon: on a line through both, in logarithms, but not next to an end. */
function between(low: Tried, high: Tried, epsilon: number): number {
  const share = Math.log(low.epsilon / epsilon) / Math.log(low.epsilon / high.epsilon)
  const inside = Number.isFinite(share) ? Math.min(0.95, Math.max(0.05, share)) : 0.5
  return low.noise * (high.noise / low.noise) ** inside
}
