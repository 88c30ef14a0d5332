/**
 * Numerical composition of privacy loss (Gopi, Lee and Wutschitz 2021, algorithm 1): the privacy loss of a step is a random
 * variable; its distribution lies on a grid, and the sum over all steps is a power of its Fourier transform.
 * @module
 */
import type { Accountant, PrivateSteps } from "./accountant.ts"
import { type Complex, fourierTransform } from "./fourier.ts"
import { rdp } from "./rdp.ts"
import { normalCdf } from "./special.ts"

/** Greatest error of epsilon; the result is above the true value. */
const EPSILON_ERROR = 0.01

/** Error of delta, as a share of delta. */
const DELTA_ERROR = 1e-3

/** Distribution function of the privacy loss log(P/Q), where P has the example with probability `sampleRate`: their 4.3. */
function lossCdf({ noiseMultiplier: sigma, sampleRate: rate }: PrivateSteps): (loss: number) => number {
  return (loss) => {
    const ratio = (Math.expm1(loss) + rate) / rate
    if (ratio <= 0) return 0
    const x = sigma * Math.log(ratio) + 1 / (2 * sigma)
    return (1 - rate) * normalCdf(x) + rate * normalCdf(x - 1 / sigma)
  }
}

/** Values of a distribution on the grid `(i - size / 2) * mesh`, in the order of a Fourier transform: 0 is first. */
interface Grid {
  readonly size: number
  readonly mesh: number
}

/** Probabilities of a step's loss within the grid, and by how much their mean is below that of the loss itself. */
function discretize(
  step: PrivateSteps,
  { size, mesh }: Grid,
): { readonly cells: Float64Array; readonly shift: number } {
  const cdf = lossCdf(step)
  const low = -size / 2 * mesh - mesh / 2
  const cells = new Float64Array(size)
  const first = cdf(low)
  let before = first, area = 0, gridMean = 0
  for (let i = 0; i < size; i++) {
    const start = low + i * mesh
    const next = cdf(start + mesh)
    area += (before + 4 * cdf(start + mesh / 2) + next) * mesh / 6
    const probability = next - before
    cells[(i + size / 2) % size] = probability
    gridMean += probability * (i - size / 2) * mesh
    before = next
  }
  const mass = before - first, high = low + size * mesh
  for (let i = 0; i < size; i++) cells[i] /= mass
  const mean = (high * before - low * first - area) / mass
  return { cells, shift: mean - gridMean / mass }
}

/** Raises `power`-fold and multiplies onto a product. */
function multiplyPower(product: Complex, { real, imaginary }: Complex, power: number): void {
  for (let i = 0; i < real.length; i++) {
    const size = Math.hypot(real[i], imaginary[i]) ** power
    const angle = Math.atan2(imaginary[i], real[i]) * power
    const x = size * Math.cos(angle), y = size * Math.sin(angle)
    const a = product.real[i], b = product.imaginary[i]
    product.real[i] = a * x - b * y
    product.imaginary[i] = a * y + b * x
  }
}

/** A grid on which the error is at most the stated one: their theorem 5.5, the range from bounds of the tails. */
function gridFor(history: ReadonlyArray<PrivateSteps>, deltaError: number): Grid {
  const steps = history.reduce((sum, part) => sum + part.steps, 0)
  const single = history.map((part) => rdp.epsilon([{ ...part, steps: 1 }], deltaError / (8 * steps)))
  const reach = 2 * EPSILON_ERROR + Math.max(rdp.epsilon(history, deltaError / 4), ...single)
  const mesh = EPSILON_ERROR / Math.sqrt(steps / 2 * Math.log(12 / deltaError))
  const size = 2 ** Math.ceil(Math.log2(2 * reach / mesh))
  return { size, mesh: 2 * reach / size }
}

/** Least epsilon whose delta is at most the given one, on the distribution of the total loss. */
function leastEpsilon(cells: Float64Array, { size, mesh }: Grid, shift: number, delta: number): number {
  // delta(epsilon) = sum of p(t) (1 - e^(epsilon - t)) over t above epsilon: from the top, mass and discounted mass.
  let mass = 0, discounted = 0
  for (let i = size - 1; i >= 0; i--) {
    const loss = (i - size / 2) * mesh + shift
    const probability = Math.max(cells[(i + size / 2) % size], 0)
    const nextMass = mass + probability, nextDiscounted = discounted + probability * Math.exp(-loss)
    if (nextMass - Math.exp(loss - mesh) * nextDiscounted > delta) {
      return Math.max(0, Math.log((nextMass - delta) / nextDiscounted))
    }
    mass = nextMass
    discounted = nextDiscounted
  }
  return 0
}

/** Accountant by privacy random variables: the tightest, at most {@link EPSILON_ERROR} too high. */
export const prv: Accountant = {
  name: "prv",
  epsilon: (history, delta) => {
    const deltaError = delta * DELTA_ERROR
    const grid = gridFor(history, deltaError)
    const product: Complex = { real: new Float64Array(grid.size).fill(1), imaginary: new Float64Array(grid.size) }
    let shift = 0
    for (const part of history) {
      const { cells, shift: own } = discretize(part, grid)
      const transformed: Complex = { real: cells, imaginary: new Float64Array(grid.size) }
      fourierTransform(transformed)
      multiplyPower(product, transformed, part.steps)
      shift += part.steps * own
    }
    fourierTransform(product, true)
    return leastEpsilon(product.real, grid, shift, delta - deltaError) + EPSILON_ERROR
  },
}
