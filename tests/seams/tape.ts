/**
 * Reverse-mode derivatives of scalars in float64: the yardstick of the seams, apart from all that it measures.
 * @module
 */

/** A scalar on the tape: its place. */
export type Scalar = number

/** A record of scalar operations. */
export interface Tape {
  /** A scalar that derivatives are wanted for, or a constant. */
  readonly leaf: (value: number) => Scalar
  readonly value: (x: Scalar) => number
  readonly add: (...terms: ReadonlyArray<Scalar>) => Scalar
  readonly mul: (a: Scalar, b: Scalar) => Scalar
  /** a . b */
  readonly dot: (a: ReadonlyArray<Scalar>, b: ReadonlyArray<Scalar>) => Scalar
  readonly scale: (x: Scalar, factor: number) => Scalar
  /** Any function of one scalar, by its value and derivative there. */
  readonly map: (x: Scalar, value: number, derivative: number) => Scalar
  /** Derivatives of `root` with respect to every scalar on the tape. */
  readonly derivatives: (root: Scalar) => Float64Array
}

/** An empty tape. */
export function makeTape(): Tape {
  const values: Array<number> = []
  const inputs: Array<ReadonlyArray<Scalar>> = []
  const partials: Array<ReadonlyArray<number>> = []
  const record = (value: number, from: ReadonlyArray<Scalar>, slopes: ReadonlyArray<number>): Scalar => {
    inputs.push(from)
    partials.push(slopes)
    return values.push(value) - 1
  }
  const at = (x: Scalar) => values[x]
  return {
    leaf: (value) => record(value, [], []),
    value: at,
    add: (...terms) => record(terms.reduce((sum, x) => sum + at(x), 0), terms, terms.map(() => 1)),
    mul: (a, b) => record(at(a) * at(b), [a, b], [at(b), at(a)]),
    dot: (a, b) =>
      record(a.reduce((sum, x, i) => sum + at(x) * at(b[i]), 0), [...a, ...b], [...b.map(at), ...a.map(at)]),
    scale: (x, factor) => record(at(x) * factor, [x], [factor]),
    map: (x, value, derivative) => record(value, [x], [derivative]),
    derivatives: (root) => {
      const found = new Float64Array(values.length)
      found[root] = 1
      for (let node = root; node >= 0; node--) {
        if (found[node] !== 0) inputs[node].forEach((x, i) => found[x] += found[node] * partials[node][i])
      }
      return found
    },
  }
}
