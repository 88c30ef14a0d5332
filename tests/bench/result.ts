/**
 * What the bench finds, and how it is shown.
 * @module
 */

/** A line of bench.json and of docs/benchmarks.json. */
export interface Result {
  /** The suite that it belongs to. */
  readonly suite: string
  /** What was measured. */
  readonly name: string
  /** Backend of Espalier. */
  readonly backend: string
  /** Of `ours` and `peer`. */
  readonly unit: string
  /** What was measured of Espalier. */
  readonly ours: number
  /** What was measured of the peer, or the figure that it is held against. */
  readonly peer: number
  /** The peer with its version and what is special about it. */
  readonly peerName: string
  /** How many times better Espalier is: above 1 is better. */
  readonly ratio: number
}

/** Units of which more is better. */
const rising = new Set(["GFLOPS", "tokens/s", "accuracy"])

/** A result with its ratio. */
export const result = (given: Omit<Result, "ratio">): Result => ({
  ...given,
  ratio: rising.has(given.unit) ? given.ours / given.peer : given.peer / given.ours,
})

/** Three digits, or all of a whole number; four places of a share. */
export const figure = (value: number, unit: string): string =>
  unit === "accuracy"
    ? value.toFixed(4)
    : value >= 999.5
    ? Math.round(value).toLocaleString("en-US")
    : value.toPrecision(3)

const cells = ({ suite, name, backend, unit, ours, peer, peerName, ratio }: Result): ReadonlyArray<string> => [
  suite,
  name,
  backend,
  figure(ours, unit),
  figure(peer, unit),
  unit,
  ratio.toFixed(2),
  peerName,
]
const heading = ["suite", "what", "backend", "Espalier", "peer", "unit", "ratio", "peer"]
const numeric = new Set([3, 4, 6])

/** A table for people. */
export const table = (results: ReadonlyArray<Result>): string => {
  const rows = [heading, ...results.map(cells)]
  const widths = heading.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row.map((cell, i) => numeric.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ").trimEnd()
  ).join("\n")
}
