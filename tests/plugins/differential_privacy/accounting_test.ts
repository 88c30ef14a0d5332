/**
 * The accountants beside Opacus 1.6.0: values of its own tests, and values that it printed.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { PrivateSteps } from "../../../plugins/differential_privacy/accounting/accountant.ts"
import { noiseFor } from "../../../plugins/differential_privacy/accounting/noise_search.ts"
import { prv } from "../../../plugins/differential_privacy/accounting/prv.ts"
import { rdp, renyiDivergence } from "../../../plugins/differential_privacy/accounting/rdp.ts"

const near = (given: number, wanted: number, tolerance: number, what: string) =>
  assert(Math.abs(given - wanted) <= tolerance, `${what}: ${given} is not ${wanted} within ${tolerance}`)

const run = (noiseMultiplier: number, sampleRate: number, steps: number): PrivateSteps => ({
  noiseMultiplier,
  sampleRate,
  steps,
})

/** Steps, delta, epsilon by RDP, epsilon by PRV (the upper end of its interval). */
const oracles: ReadonlyArray<readonly [PrivateSteps, number, number, number]> = [
  [run(1, .01, 1000), 1e-5, 2.10136527, 1.83837164],
  [run(1.1, 256 / 60000, 3515), 1e-5, 1.28114428, 1.14378953],
  [run(1, .01, 10000), 1e-5, 6.7127383, 6.19804387],
  [run(.8, .001, 1000), 1e-6, 1.46187586, .47777127],
  [run(1.5, .05, 100), 1e-6, 2.15418461, 1.95385314],
  [run(2, .2, 100), 1e-6, 6.12281931, 5.67205561],
  [run(4, .01, 10000), 1e-5, 1.03549007, .95693618],
  [run(.5, .001, 1000), 1e-5, 4.38202303, 3.24932463],
  [run(1, 1, 1), 1e-5, 4.72850707, 4.38741379],
  [run(10, 1, 1), 1e-5, .37529122, .3507025],
]

Deno.test("both accountants give the epsilon of Opacus", () => {
  for (const [steps, delta, byRdp, byPrv] of oracles) {
    near(rdp.epsilon([steps], delta), byRdp, 1e-6, `rdp of ${JSON.stringify(steps)}`)
    near(prv.epsilon([steps], delta), byPrv, 1e-3, `prv of ${JSON.stringify(steps)}`)
  }
  near(rdp.epsilon([run(1.5, .04, 2250)], 1e-5), 7.32911117143, 1e-6, "rdp of 90 epochs")
  near(prv.epsilon([run(1.5, .04, 2249)], 1e-5), 6.777395712150674, 1e-3, "prv of 90 epochs")
})

Deno.test("steps of several kinds add up", () => {
  const history = [run(1, .01, 500), run(1.5, .02, 500)]
  near(rdp.epsilon(history, 1e-5), 2.147668341611601, 1e-6, "rdp")
  near(prv.epsilon(history, 1e-5), 1.9076078418673932, 1e-3, "prv")
})

/**
 * Without sampling the privacy loss is a normal variable, whose delta has a closed form (Balle and Wang 2018, theorem 8):
 * an independent value that an upper bound may never be below.
 */
Deno.test("without sampling PRV is above the exact epsilon, by at most 0.02", () => {
  for (const [sigma, steps] of [[1, 1], [5, 10], [20, 400], [10, 1]]) {
    const exact = gaussianEpsilon(sigma / Math.sqrt(steps), 1e-5)
    const given = prv.epsilon([run(sigma, 1, steps)], 1e-5)
    assert(given >= exact && given <= exact + .02, `${sigma}, ${steps}: ${given} beside ${exact}`)
    assert(rdp.epsilon([run(sigma, 1, steps)], 1e-5) >= exact, "rdp is below the exact value")
  }
})

/** By bisection on delta(epsilon), with the normal distribution integrated by Simpson's rule. */
function gaussianEpsilon(sigma: number, delta: number): number {
  const cdf = (x: number): number => {
    const low = -40, parts = 40_000, width = (x - low) / parts
    if (x <= low) return 0
    let sum = 0
    for (let i = 0; i <= parts; i++) {
      const weight = i === 0 || i === parts ? 1 : i % 2 === 1 ? 4 : 2
      sum += weight * Math.exp(-((low + i * width) ** 2) / 2)
    }
    return sum * width / 3 / Math.sqrt(2 * Math.PI)
  }
  const at = (epsilon: number) =>
    cdf(1 / (2 * sigma) - epsilon * sigma) - Math.exp(epsilon) * cdf(-1 / (2 * sigma) - epsilon * sigma)
  let low = 0, high = 50
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2
    if (at(middle) > delta) low = middle
    else high = middle
  }
  return high
}

Deno.test("Renyi divergences of one step", () => {
  const step = run(1, .01, 1)
  const wanted = [
    [1.1, 9.241470982855839e-5],
    [1.5, 1.2725374351154145e-4],
    [2, 1.7181342207453428e-4],
    [8, 8.936439076060279e-4],
    [16, 3.087850783696245],
    [63, 26.820552876],
  ]
  for (const [order, value] of wanted) near(renyiDivergence(order, step), value, 1e-6 * value, `order ${order}`)
})

Deno.test("the noise for a target", () => {
  const noise = (epsilon: number, sampleRate: number, epochs: number, accountant = rdp) =>
    noiseFor(accountant, { epsilon, delta: 1e-5 }, { sampleRate, steps: Math.floor(epochs / sampleRate) })!
  near(noise(1, .01, 10), 1.5234375, .01, "rdp at 1")
  near(noise(3, .01, 3), .76416015625, .01, "rdp at 3")
  near(noise(8, .04, 90), 1.416, .01, "rdp at 8")
  near(noise(1, .01, 10, prv), 1.42578125, .01, "prv at 1")
  near(noise(8, .04, 90, prv), 1.34765625, .01, "prv at 8")
  assertEquals(noiseFor(prv, { epsilon: .005, delta: 1e-5 }, { sampleRate: .01, steps: 10 }), undefined)
})
