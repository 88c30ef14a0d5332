/**
 * The conformance rule: how near a run must be to the reference. Every check can fail, and says by how much it did.
 * @module
 */
import type { NamedTensor } from "./tensors.ts"

/** Tensors by the name they are saved under. */
export type Tensors = ReadonlyMap<string, NamedTensor>

/** How a training went, in the reference or in the run held against it. */
export interface Training {
  /** Mean loss of each step, before its update. */
  readonly losses: ReadonlyArray<number>
  /** Gradients of the first step, accumulated, before clipping. */
  readonly firstGradients: Tensors
  /** Trained tensors before the first step. */
  readonly initial: Tensors
  /** Trained tensors after the last step. */
  readonly trained: Tensors
}

/** Bounds of the rule; a comparison may widen them by a factor. */
export const tolerance = {
  /** Of each step's loss, relative. */
  loss: 1e-5,
  /** Of each tensor's first gradient, relative L2. */
  gradient: 1e-5,
  /** Of each tensor's change over the training, relative L2. */
  change: 1e-3,
  /** Of each logit, absolute. */
  logits: 1e-4,
  /** Of what a new adapter takes of a base weight, relative L2; the reference decomposes in float32. */
  start: 1e-4,
  /** Of an embedding and its reference, at least. */
  cosine: 0.9999,
  /** Part of its first value by which the loss must have fallen. */
  fall: 0.05,
  /** Gradients below this part of the largest are taken for zero: their true value is zero, and the rest rounding. */
  zeroGradient: 1e-7,
} as const

const norm = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i]
  return Math.sqrt(sum)
}
const minus = (a: ArrayLike<number>, b: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: a.length }, (_, i) => a[i] - b[i])
const show = (value: number): string => value.toExponential(2)
// Written so that a value that is not a number never passes.
const above = (value: number, bound: number): boolean => !(value <= bound)

/** Names and shapes must be the same on both sides. */
export const compareKeys = (what: string, reference: Tensors, actual: Tensors): Array<string> => [
  ...[...reference.keys()].filter((name) => !actual.has(name)).map((name) => `${what}: "${name}" is missing`),
  ...[...actual.keys()].filter((name) => !reference.has(name)).map((name) => `${what}: "${name}" is unexpected`),
  ...[...reference].filter(([name, { shape }]) => actual.has(name) && `${actual.get(name)!.shape}` !== `${shape}`)
    .map(([name, { shape }]) => `${what}: "${name}" has shape [${actual.get(name)!.shape}], the reference [${shape}]`),
]

const shared = (reference: Tensors, actual: Tensors): Array<[string, NamedTensor, NamedTensor]> =>
  [...reference].filter(([name, tensor]) => actual.get(name)?.data.length === tensor.data.length)
    .map(([name, tensor]) => [name, tensor, actual.get(name)!])

/** A training of which some tensors are cut into parts, to be compared apart: names of equal ones, by the tensors' ends. */
export const inParts = (training: Training, parts: Readonly<Record<string, ReadonlyArray<string>>>): Training => {
  const cut = (tensors: Tensors): Tensors =>
    new Map([...tensors].flatMap(([name, tensor]) => {
      const [, names] = Object.entries(parts).find(([end]) => name.endsWith(end)) ?? []
      if (names === undefined) return [[name, tensor] as const]
      const size = tensor.data.length / names.length
      const [first, ...rest] = tensor.shape
      return names.map((part, i) => {
        const data = tensor.data.slice(i * size, (i + 1) * size)
        return [`${name}.${part}`, { shape: [first / names.length, ...rest], data }] as const
      })
    }))
  const { losses, firstGradients, initial, trained } = training
  return { losses, firstGradients: cut(firstGradients), initial: cut(initial), trained: cut(trained) }
}

/** Loss of each step. */
export const compareLosses = (
  reference: ReadonlyArray<number>,
  actual: ReadonlyArray<number>,
  factor = 1,
): Array<string> => {
  if (actual.length !== reference.length) {
    return [`losses: ${actual.length} steps, the reference has ${reference.length}`]
  }
  const errors = reference.map((loss, step) => Math.abs(actual[step] - loss) / Math.abs(loss))
  const first = errors.findIndex((error) => above(error, factor * tolerance.loss))
  return first < 0 ? [] : [
    `losses: step ${first} is ${actual[first]}, the reference ${reference[first]} (relative ${show(errors[first])})`,
  ]
}

/** Gradient of each trained tensor in the first step. */
export const compareGradients = (reference: Tensors, actual: Tensors, factor = 1): Array<string> => {
  const floor = tolerance.zeroGradient * Math.max(...[...reference.values()].map((tensor) => norm(tensor.data)))
  return [
    ...compareKeys("first gradient", reference, actual),
    ...shared(reference, actual).flatMap(([name, expected, given]) => {
      const size = norm(expected.data)
      const zero = size <= floor
      const error = zero ? norm(given.data) : norm(minus(given.data, expected.data)) / size
      if (!above(error, factor * (zero ? floor : tolerance.gradient))) return []
      return [
        `first gradient: "${name}" is off by ${show(error)} ${zero ? "where the reference is zero" : "relative L2"}`,
      ]
    }),
  ]
}

/** What the training changed in each tensor. */
export const compareChanges = (
  reference: Training,
  actual: Training,
  noGradient: ReadonlyArray<string> = [],
  factor = 1,
): Array<string> => [
  ...compareKeys("initial", reference.initial, actual.initial),
  ...compareKeys("trained", reference.trained, actual.trained),
  ...shared(reference.trained, actual.trained).flatMap(([name, after, given]) => {
    if (noGradient.some((end) => name.endsWith(end))) {
      const gradients = [...reference.firstGradients.values()].map(({ data }) => norm(data))
      const own = norm(reference.firstGradients.get(name)?.data ?? [NaN])
      return above(own, tolerance.zeroGradient * Math.max(...gradients)) ? [`trained: "${name}" has a gradient`] : []
    }
    const before = reference.initial.get(name), from = actual.initial.get(name)
    if (before === undefined || from?.data.length !== given.data.length) return []
    const expected = minus(after.data, before.data)
    const size = norm(expected)
    if (!(size > 0)) return [`trained: the reference never changed "${name}": the case proves nothing about it`]
    const error = norm(minus(minus(given.data, from.data), expected)) / size
    return above(error, factor * tolerance.change)
      ? [`trained: change of "${name}" is off by ${show(error)} relative L2`]
      : []
  }),
]

/** Logits of the same tokens. */
export const compareLogits = (
  what: string,
  reference: ArrayLike<number>,
  actual: ArrayLike<number>,
  factor = 1,
): Array<string> => {
  if (actual.length !== reference.length) {
    return [`${what}: ${actual.length} values, the reference has ${reference.length}`]
  }
  let worst = 0
  for (let i = 0; i < reference.length; i++) {
    const error = Math.abs(actual[i] - reference[i])
    if (above(error, worst)) worst = error
  }
  return above(worst, factor * tolerance.logits) ? [`${what}: off by ${show(worst)}`] : []
}

/** Embeddings of the same texts, row by row. */
export const compareEmbeddings = (reference: NamedTensor, actual: ArrayLike<number>): Array<string> => {
  const [rows, width] = reference.shape
  if (actual.length !== rows * width) return [`embeddings: ${actual.length} values, the reference has ${rows * width}`]
  return Array.from({ length: rows }, (_, row) => {
    const [a, b] = [reference.data, actual].map((all) => Array.from(all).slice(row * width, (row + 1) * width))
    return a.reduce((sum, value, i) => sum + value * b[i], 0) / (norm(a) * norm(b))
  }).flatMap((cosine, row) => cosine > tolerance.cosine ? [] : [`embeddings: cosine of row ${row} is ${cosine}`])
}

/**
 * The whole rule for a training: violations, none if it conforms.
 *
 * @param noGradient Ends of names of tensors whose gradient is zero by nature. An optimizer that scales by the gradient's
 * size makes something of its rounding, so what becomes of them is not compared; that it is zero is.
 */
export const compareTraining = (
  reference: Training,
  actual: Training,
  noGradient: ReadonlyArray<string> = [],
  factor = 1,
): Array<string> => {
  const first = actual.losses[0], last = actual.losses[actual.losses.length - 1]
  return [
    ...compareLosses(reference.losses, actual.losses, factor),
    ...(above(last, first * (1 - tolerance.fall))
      ? [`losses: ${first} fell to ${last} only: nothing much was learned`]
      : []),
    ...compareGradients(reference.firstGradients, actual.firstGradients, factor),
    ...compareChanges(reference, actual, noGradient, factor),
  ]
}

/** A tensor's distribution: spread, and the fourth moment that tells a uniform (1.8) from a normal one (3). */
const moments = (values: ArrayLike<number>): { mean: number; deviation: number; kurtosis: number } => {
  const mean = Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
  const central = (power: number) =>
    Array.from(values).reduce((sum, value) => sum + (value - mean) ** power, 0) / values.length
  return { mean, deviation: Math.sqrt(central(2)), kurtosis: central(4) / central(2) ** 2 }
}

/** New adapters of the same kind: same names and shapes, zeros where the reference has zeros, else the same distribution. */
export const compareInitialization = (reference: Tensors, actual: Tensors): Array<string> => [
  ...compareKeys("new adapter", reference, actual),
  ...shared(reference, actual).flatMap(([name, expected, given]) => {
    if (norm(expected.data) === 0) return norm(given.data) === 0 ? [] : [`new adapter: "${name}" is not zero`]
    const want = moments(expected.data), have = moments(given.data)
    // Five standard errors of a normal sample.
    const samples = Math.sqrt(expected.data.length)
    const wrong = above(Math.abs(have.mean), 5 * want.deviation / samples) ||
      above(Math.abs(have.deviation / want.deviation - 1), 5 / samples) ||
      above(Math.abs(have.kurtosis - want.kurtosis), 1)
    return wrong ? [`new adapter: "${name}" is ${JSON.stringify(have)}, the reference ${JSON.stringify(want)}`] : []
  }),
]

/** New adapters that start from base weights: the same product B A. Signs and turns within it are anybody's choice. */
export const compareStart = (reference: Tensors, actual: Tensors): Array<string> => {
  const problems = compareKeys("new adapter", reference, actual)
  if (problems.length > 0) return problems
  const product = (tensors: Tensors, name: string): Float64Array => {
    const { shape: [r, columns], data: a } = tensors.get(name)!
    const { shape: [rows], data: b } = tensors.get(name.replace("lora_A", "lora_B"))!
    return Float64Array.from({ length: rows * columns }, (_, at) => {
      const [i, j] = [Math.floor(at / columns), at % columns]
      let sum = 0
      for (let k = 0; k < r; k++) sum += b[i * r + k] * a[k * columns + j]
      return sum
    })
  }
  return [...reference.keys()].filter((name) => name.includes("lora_A")).flatMap((name) => {
    const expected = product(reference, name)
    const error = norm(minus(product(actual, name), expected)) / norm(expected)
    return above(error, tolerance.start) ? [`new adapter: B A of "${name}" is off by ${show(error)} relative L2`] : []
  })
}
