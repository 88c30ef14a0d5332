/**
 * Decompositions of matrices in float64. Matrices are row-major.
 * @module
 */
import { makeRng, type Rng } from "../../tensor/operations/random.ts"

/** A matrix. */
export interface Matrix {
  /** Number of rows. */
  readonly rows: number
  /** Number of columns. */
  readonly columns: number
  /** Its elements. */
  readonly data: Float64Array
}

/** The greatest singular values with their vectors: W is nearly `left diag(values) right`. */
export interface Singular {
  /** [rows, r], its columns orthonormal. */
  readonly left: Matrix
  /** Falling. */
  readonly values: Float64Array
  /** [r, columns], its rows orthonormal. */
  readonly right: Matrix
}

const matrix = (rows: number, columns: number): Matrix => ({ rows, columns, data: new Float64Array(rows * columns) })

/** The other way around. */
export function transposed({ rows, columns, data }: Matrix): Matrix {
  const out = matrix(columns, rows)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j]
  return out
}

/** a b. */
export function product(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.columns)
  const { columns: n } = b
  for (let i = 0; i < a.rows; i++) {
    const row = out.data.subarray(i * n, (i + 1) * n)
    for (let k = 0; k < a.columns; k++) {
      const factor = a.data[i * a.columns + k]
      const from = k * n
      for (let j = 0; j < n; j++) row[j] += factor * b.data[from + j]
    }
  }
  return out
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** a += factor b. */
function addTo(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i]
}

const rowsOf = ({ rows, columns, data }: Matrix): Float64Array[] =>
  Array.from({ length: rows }, (_, i) => data.subarray(i * columns, (i + 1) * columns))

const fromRows = (rows: ReadonlyArray<Float64Array>): Matrix => {
  const out = matrix(rows.length, rows[0].length)
  rows.forEach((row, i) => out.data.set(row, i * row.length))
  return out
}

/**
 * The first r directions of W = Q R, by Householder's reflections (Golub and Van Loan, algorithm 5.2.1): Q's first r
 * columns and R's first r rows. r is at most either side of W.
 */
export function thinQr(weight: Matrix, r: number): { readonly q: Matrix; readonly r: Matrix } {
  const columns = rowsOf(transposed(weight))
  const normals: Float64Array[] = []
  for (let k = 0; k < r; k++) {
    const column = columns[k]
    const normal = new Float64Array(weight.rows)
    normal.set(column.subarray(k), k)
    normal[k] += (column[k] < 0 ? -1 : 1) * Math.sqrt(dot(normal, normal))
    const length = Math.sqrt(dot(normal, normal))
    if (length > 0) normal.forEach((value, i) => normal[i] = value / length)
    for (const other of columns.slice(k)) addTo(other, normal, -2 * dot(normal, other))
    normals.push(normal)
  }
  const q = Array.from({ length: r }, (_, k) => {
    const axis = new Float64Array(weight.rows)
    axis[k] = 1
    for (const normal of normals.toReversed()) addTo(axis, normal, -2 * dot(normal, axis))
    return axis
  })
  const upper = matrix(r, weight.columns)
  columns.forEach((column, j) => {
    for (let i = 0; i <= Math.min(j, r - 1); i++) upper.data[i * weight.columns + j] = column[i]
  })
  return { q: transposed(fromRows(q)), r: upper }
}

/** All singular values of a small matrix, by one-sided Jacobi rotations of its rows (Hestenes 1958). */
export function smallSvd(small: Matrix): Singular {
  const rows = rowsOf({ ...small, data: small.data.slice() })
  const turns = rowsOf(identity(small.rows))
  let turned = true
  // Seven or eight sweeps are usual.
  for (let sweep = 0; turned && sweep < 40; sweep++) {
    turned = false
    for (let p = 0; p < rows.length; p++) {
      for (let q = p + 1; q < rows.length; q++) {
        const [a, b, c] = [dot(rows[p], rows[p]), dot(rows[q], rows[q]), dot(rows[p], rows[q])]
        if (!(Math.abs(c) > 1e-14 * Math.sqrt(a * b))) continue
        turned = true
        const zeta = (b - a) / (2 * c)
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
        const cosine = 1 / Math.hypot(1, tangent)
        for (const pair of [[rows[p], rows[q]], [turns[p], turns[q]]]) turn(pair[0], pair[1], cosine, cosine * tangent)
      }
    }
  }
  const lengths = rows.map((row) => Math.sqrt(dot(row, row)))
  const order = lengths.map((_, i) => i).sort((i, j) => lengths[j] - lengths[i])
  for (const [i, row] of rows.entries()) if (lengths[i] > 0) row.forEach((value, j) => row[j] = value / lengths[i])
  return {
    left: transposed(fromRows(order.map((i) => turns[i]))),
    values: Float64Array.from(order, (i) => lengths[i]),
    right: fromRows(order.map((i) => rows[i])),
  }
}

function turn(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < a.length; i++) {
    const before = a[i]
    a[i] = cosine * before - sine * b[i]
    b[i] = sine * before + cosine * b[i]
  }
}

function identity(size: number): Matrix {
  const out = matrix(size, size)
  for (let i = 0; i < size; i++) out.data[i * size + i] = 1
  return out
}

function randomRows(count: number, length: number, rng: Rng): Float64Array[] {
  return Array.from({ length: count }, () => Float64Array.from({ length }, () => rng.normal()))
}

const first = ({ left, values, right }: Singular, r: number): Singular => ({
  left: transposed(fromRows(rowsOf(transposed(left)).slice(0, r))),
  values: values.slice(0, r),
  right: fromRows(rowsOf(right).slice(0, r)),
})

/** Two matrices [rows, r] and [r, columns] of the same size whose product, times a scale, is what the singular values are of. */
export function halves(
  { left, values, right }: Singular,
  scale: number,
): { readonly left: Matrix; readonly right: Matrix } {
  const roots = values.map((value) => Math.sqrt(value / Math.abs(scale)))
  // A negative scale goes into the left one.
  return {
    left: { ...left, data: left.data.map((value, i) => value * roots[i % left.columns] * Math.sign(scale)) },
    right: { ...right, data: right.data.map((value, i) => value * roots[Math.floor(i / right.columns)]) },
  }
}

/**
 * The r greatest singular values as `rounds` of subspace iteration find them (Halko et al. 2011, algorithm 4.4), from a
 * random start of r directions, as PyTorch's `svd_lowrank` does.
 */
export function subspaceSvd(weight: Matrix, r: number, rounds: number, seed = 0): Singular {
  const back = transposed(weight)
  const range = (directions: Matrix) => thinQr(product(weight, directions), r).q
  let q = range(transposed(fromRows(randomRows(r, weight.columns, makeRng(seed)))))
  for (let i = 0; i < rounds; i++) q = range(thinQr(product(back, q), r).q)
  const small = smallSvd(product(transposed(q), weight))
  return { ...small, left: product(q, small.left) }
}

/**
 * The r greatest singular values to the last digits: bidiagonalization (Golub and Kahan 1965) from a random direction,
 * each new direction made orthogonal to all before, until the residual of each is below 1e-12 of the greatest.
 */
export function svd(weight: Matrix, r: number, seed = 0): Singular {
  if (weight.columns < weight.rows) {
    const { left, values, right } = svd(transposed(weight), r, seed)
    return { left: transposed(right), values, right: transposed(left) }
  }
  const rng = makeRng(seed)
  const back = transposed(weight)
  const times = (m: Matrix, v: Float64Array) => Float64Array.from(rowsOf(m), (row) => dot(row, v))
  /** Makes a vector orthogonal to others and of length 1, a new one where nothing is left; gives its length before. */
  const normalize = (vector: Float64Array, others: ReadonlyArray<Float64Array>, least: number): number => {
    const clean = () => others.forEach((other) => addTo(vector, other, -dot(other, vector)))
    clean(), clean()
    const length = Math.sqrt(dot(vector, vector))
    if (length > least) {
      vector.forEach((value, i) => vector[i] = value / length)
      return length
    }
    vector.set(randomRows(1, vector.length, rng)[0])
    normalize(vector, others, 0)
    return 0
  }
  const least = 1e-15 * Math.sqrt(dot(weight.data, weight.data))
  const [lefts, rights]: [Float64Array[], Float64Array[]] = [[], []]
  /** Of the lower bidiagonal matrix: lefts W rights^T. */
  const [diagonal, below]: [number[], number[]] = [[], []]
  let u = randomRows(1, weight.rows, rng)[0]
  normalize(u, [], 0)
  for (let check = Math.min(weight.rows, 2 * r + 16);; check = Math.min(weight.rows, Math.ceil(1.5 * check))) {
    while (lefts.length < check) {
      lefts.push(u)
      const v = times(back, u)
      diagonal.push(normalize(v, rights, least))
      rights.push(v)
      u = times(weight, v)
      if (lefts.length < weight.rows) below.push(normalize(u, lefts, least))
    }
    const bidiagonal = matrix(check, check)
    diagonal.forEach((value, i) => bidiagonal.data[i * check + i] = value)
    below.slice(0, check - 1).forEach((value, i) => bidiagonal.data[(i + 1) * check + i] = value)
    const found = first(smallSvd(bidiagonal), r)
    // Where the sequence broke off at this place, it says nothing of what is left.
    const rest = check === weight.rows ? 0 : below[check - 1] || Infinity
    const residual = (i: number) => Math.abs(rest * found.right.data[i * check + check - 1])
    if (found.values.every((_, i) => residual(i) <= 1e-12 * found.values[0])) {
      return {
        left: product(transposed(fromRows(lefts)), found.left),
        values: found.values,
        right: product(found.right, fromRows(rights)),
      }
    }
  }
}
