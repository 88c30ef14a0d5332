/**
 * Renyi differential privacy of the sampled Gaussian mechanism (Mironov, Talwar and Zhang 2019), turned into (epsilon,
 * delta) by Canonne, Kamath and Steinke (2020), proposition 12.
 * @module
 */
import type { Accountant, PrivateSteps } from "./accountant.ts"
import { logAdd, logErfc, logSubtract } from "./special.ts"

/** Orders of the divergence that are tried: 1.1 to 10.9 by 0.1, then 12 to 63. */
const ORDERS: ReadonlyArray<number> = [
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 52 }, (_, i) => 12 + i),
]

/** Terms of the series for fractional orders are added until they fall below e to this. */
const LEAST_TERM = -30

/** Logarithm of the moment A of an order that is a whole number: their section 3.3, equation 4. */
function logMomentOfWhole(order: number, { noiseMultiplier, sampleRate }: PrivateSteps): number {
  let sum = -Infinity, logBinomial = 0
  for (let k = 0; k <= order; k++) {
    const term = logBinomial + k * Math.log(sampleRate) + (order - k) * Math.log1p(-sampleRate)
    sum = logAdd(sum, term + (k * k - k) / (2 * noiseMultiplier ** 2))
    logBinomial += Math.log((order - k) / (k + 1))
  }
  return sum
}

/** The same of any other order: two series, for the parts left and right of the point where both densities are equal. */
function logMomentOfFraction(order: number, { noiseMultiplier: sigma, sampleRate: rate }: PrivateSteps): number {
  const middle = sigma ** 2 * Math.log(1 / rate - 1) + 0.5
  const scale = Math.SQRT2 * sigma
  let positive = -Infinity, negative = -Infinity, binomial = 1
  for (let i = 0;; i++) {
    const j = order - i
    const logBinomial = Math.log(Math.abs(binomial))
    const left = logBinomial + i * Math.log(rate) + j * Math.log1p(-rate) + (i * i - i) / (2 * sigma ** 2) +
      logErfc((i - middle) / scale) - Math.LN2
    const right = logBinomial + j * Math.log(rate) + i * Math.log1p(-rate) + (j * j - j) / (2 * sigma ** 2) +
      logErfc((middle - j) / scale) - Math.LN2
    const both = logAdd(left, right)
    if (binomial > 0) positive = logAdd(positive, both)
    else negative = logAdd(negative, both)
    if (Math.max(left, right) < LEAST_TERM) return logSubtract(positive, negative)
    binomial *= j / (i + 1)
  }
}

/** Renyi divergence of an order, of one step. */
export function renyiDivergence(order: number, step: PrivateSteps): number {
  if (step.sampleRate === 1) return order / (2 * step.noiseMultiplier ** 2)
  const logMoment = Number.isInteger(order) ? logMomentOfWhole(order, step) : logMomentOfFraction(order, step)
  return logMoment / (order - 1)
}

/** Accountant by Renyi differential privacy: fast, and never too low. */
export const rdp: Accountant = {
  name: "rdp",
  epsilon: (history, delta) =>
    Math.max(
      0,
      Math.min(...ORDERS.map((order) => {
        const total = history.reduce((sum, part) => sum + part.steps * renyiDivergence(order, part), 0)
        return total - (Math.log(delta) + Math.log(order)) / (order - 1) + Math.log((order - 1) / order)
      })),
    ),
}
