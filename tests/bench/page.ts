/**
 * The benchmark tables of `docs/benchmarks.md` and `README.md`, made from `docs/benchmarks.json`.
 *
 * In a page, a table stands between `<!-- bench NAME -->` and `<!-- end -->`, where NAME is a suite, or `ten` for the ten
 * results of the README. The rest of a page is written by hand.
 * @module
 */
import { figure, type Result } from "./result.ts"

/** Content of `docs/benchmarks.json`. */
export interface Benchmarks {
  /** By suite: machine, versions, rounds and date. */
  readonly runs: Readonly<Record<string, string>>
  /** In the order of the suites. */
  readonly results: ReadonlyArray<Result>
}

/** The text of `docs/benchmarks.json`: one result a line. */
export const textOf = ({ runs, results }: Benchmarks): string => {
  const rows = results.map((row) => `    ${JSON.stringify(row)}`).join(",\n")
  return `{\n  "runs": ${JSON.stringify(runs, null, 2).replaceAll("\n", "\n  ")},\n  "results": [\n${rows}\n  ]\n}\n`
}

/** A result that the README shows, and how it names it. */
interface Pick {
  readonly title: string
  readonly suite: string
  readonly name: string
  /** A part of the peer's name. Default: the first peer of the case. */
  readonly peer?: string
}

const TEN: ReadonlyArray<Pick> = [
  { title: "LoRA step, MiniLM-L6, 16 x 128", suite: "lora-step", name: "MiniLM-L6, 16 x 128" },
  {
    title: "the same without V8's flag",
    suite: "lora-step",
    name: "MiniLM-L6, 16 x 128, without V8's flag",
  },
  {
    title: "LoRA step, SmolLM2-135M's shape, 1 x 256",
    suite: "lora-step",
    name: "Llama of SmolLM2-135M's shape, 1 x 256",
  },
  { title: "LoRA epoch, SMS data, MiniLM-L6", suite: "epoch-real", name: "SMS, training", peer: "dynamic" },
  { title: "the same", suite: "epoch-real", name: "SMS, training", peer: "group_by_length" },
  {
    title: "held-out accuracy after it, 3 seeds",
    suite: "epoch-real",
    name: "SMS, held out, mean of 3 seeds",
    peer: "dynamic",
  },
  {
    title: "peak memory, SmolLM2-135M's shape, f32",
    suite: "memory",
    name: "Llama of SmolLM2-135M's shape, 1 x 256, f32 weights, peak RSS",
  },
  {
    title: "cold start to the end of the first step",
    suite: "cold",
    name:
      "MiniLM-L6, 16 x 128, to the end of the first step, compile caches empty, the peer's filled, as pip leaves them",
  },
  { title: "matrix product, 1024 square", suite: "gemm", name: "1024 square" },
  {
    title: "step of a small GPT, width 128",
    suite: "step-small",
    name: "GPT-like, width 128, 2 layers, 4 x 64",
    peer: "jax-js",
  },
]

type Alignment = "left" | "right"

/** A table in Markdown with columns of even width, as `deno fmt` writes it. */
const markdown = (
  heading: ReadonlyArray<string>,
  alignments: ReadonlyArray<Alignment>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
): string => {
  const widths = heading.map((_, i) => Math.max(3, ...[heading, ...rows].map((row) => row[i].length)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  const padded = (row: ReadonlyArray<string>) =>
    line(row.map((cell, i) => alignments[i] === "right" ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
  const rule = line(
    widths.map((width, i) => alignments[i] === "right" ? `${"-".repeat(width - 1)}:` : "-".repeat(width)),
  )
  return [padded(heading), rule, ...rows.map(padded)].join("\n")
}

/** The ten results of the README. */
const ten = ({ results }: Benchmarks): string => {
  const rows = TEN.map(({ title, suite, name, peer = "" }) => {
    const found = results.find((row) => row.suite === suite && row.name === name && row.peerName.includes(peer))
    if (found === undefined) {
      throw new Error(`docs/benchmarks.json has no result "${name}" of ${suite} beside "${peer}"`)
    }
    const { unit, ours, ratio, peerName } = found
    const measured = unit === "accuracy" ? "" : ` ${unit}`
    return [
      title,
      `${figure(ours, unit)}${measured}`,
      `${figure(found.peer, unit)}${measured}`,
      ratio.toFixed(2),
      peerName,
    ]
  })
  return markdown(
    ["what", "Espalier", "peer", "ratio", "peer's name"],
    ["left", "right", "right", "right", "left"],
    rows,
  )
}

/** A suite: one row a case, one column a peer with its figure and, in brackets, the ratio. */
const ofSuite = ({ runs, results }: Benchmarks, suite: string): string => {
  const own = results.filter((row) => row.suite === suite)
  if (own.length === 0) throw new Error(`docs/benchmarks.json has no results of a suite "${suite}"`)
  const peers = Array.from(new Set(own.map(({ peerName }) => peerName)))
  const cases = Map.groupBy(own, ({ name, backend, unit, ours }) => JSON.stringify([name, backend, unit, ours]))
  const rows = Array.from(cases.values(), (ofCase) => {
    const [{ name, backend, unit, ours }] = ofCase
    const cells = peers.map((peer) => {
      const found = ofCase.find(({ peerName }) => peerName === peer)
      return found === undefined ? "" : `${figure(found.peer, unit)} (${found.ratio.toFixed(2)})`
    })
    return [name, backend, unit, figure(ours, unit), ...cells]
  })
  const alignments: ReadonlyArray<Alignment> = ["left", "left", "left", "right", ...peers.map(() => "right" as const)]
  return `${runs[suite]}\n\n${markdown(["case", "backend", "unit", "Espalier", ...peers], alignments, rows)}`
}

/** A page with its tables made again. */
export const filled = (page: string, benchmarks: Benchmarks): string =>
  page.replaceAll(
    /(<!-- bench (\S+) -->).*?(<!-- end -->)/gs,
    (_, begin: string, name: string, end: string) =>
      `${begin}\n\n${name === "ten" ? ten(benchmarks) : ofSuite(benchmarks, name)}\n\n${end}`,
  )
