import { assert, assertEquals } from "@std/assert"
import { ks, meanShift, mmd, psi, type Sample, type Statistic, statistics } from "../../../plugins/monitor/mod.ts"
import { calibrationError } from "../../../plugins/monitor/statistics/judged.ts"
import { profileOf } from "./samples.ts"

/** What make.py wrote. */
interface Case {
  readonly reference: ReadonlyArray<number>
  readonly window: ReadonlyArray<number>
  readonly referenceLabels: ReadonlyArray<number>
  readonly windowLabels: ReadonlyArray<number>
  readonly referenceEmbeddings: ReadonlyArray<ReadonlyArray<number>>
  readonly windowEmbeddings: ReadonlyArray<ReadonlyArray<number>>
  readonly confidence: ReadonlyArray<number>
  readonly correct: ReadonlyArray<number>
  readonly ks: number
  readonly psi: number
  readonly psiLabels: number
  readonly mmd: number
  readonly mean: number
  readonly ece: number
}

const cases: ReadonlyArray<Case> = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/monitor/cases.json", import.meta.url)),
)

const column = (x: ReadonlyArray<number>): Sample => ({ rows: x.length, columns: { x: Float64Array.from(x) } })
const embedded = (rows: ReadonlyArray<ReadonlyArray<number>>): Sample => ({
  rows: rows.length,
  columns: {},
  embeddings: { width: rows[0].length, values: Float32Array.from(rows.flat()) },
})
const close = (found: number, expected: number, what: string, tolerance = 1e-10) =>
  assert(
    Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${what}: ${found}, not ${expected}`,
  )

Deno.test("statistics are those of scipy, alibi-detect and torchmetrics", () => {
  assertEquals(cases.length, 5)
  const measured = (statistic: Statistic, reference: Sample, window: Sample) =>
    statistic.prepare(reference).measure(window)
  for (const one of cases) {
    const [reference, window] = [column(one.reference), column(one.window)]
    close(measured(ks("x"), reference, window), one.ks, "ks")
    close(measured(psi("x"), reference, window), one.psi, "psi")
    const labels = [column(one.referenceLabels), column(one.windowLabels)] as const
    close(measured(psi("x", { bins: "values" }), ...labels), one.psiLabels, "psi of labels")
    const embeddings = [embedded(one.referenceEmbeddings), embedded(one.windowEmbeddings)] as const
    close(measured(mmd(), ...embeddings), one.mmd, "mmd")
    // The covariance is kept in 32 bits.
    close(measured(meanShift(), ...embeddings), one.mean, "mean", 1e-5)
    const judged = { confidence: Float64Array.from(one.confidence), correct: Float64Array.from(one.correct) }
    // Theirs adds up in 32 bits.
    close(calibrationError({ rows: one.correct.length, columns: judged }, 10), one.ece, "ece", 1e-6)
  }
})

/** Some rows of a sample. */
const rowsOf = ({ columns, embeddings }: Sample, rows: ReadonlyArray<number>): Sample => ({
  rows: rows.length,
  columns: Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, Float64Array.from(rows, (row) => values[row])]),
  ),
  embeddings: {
    ...embeddings!,
    values: Float32Array.from(
      rows.flatMap((row) => [...embeddings!.values.subarray(row * embeddings!.width, (row + 1) * embeddings!.width)]),
    ),
  },
})

Deno.test("a split is the statistic of a part of the reference against the rest", () => {
  const { sample } = profileOf(60)
  const part = Array.from({ length: 15 }, (_, i) => 4 * i + 1)
  const rest = Array.from({ length: 60 }, (_, row) => row).filter((row) => !part.includes(row))
  const ours = statistics.filter(({ columns }) =>
    columns.every((name) => name === "embedding" || name in sample.columns)
  )
  assertEquals(ours.map(({ name }) => name), [
    "ks length",
    "ks unknown",
    "ks confidence",
    "psi label",
    "mmd embedding",
    "mean embedding",
    "accuracy",
    "ece",
    "ks loss",
  ])
  const { moments } = sample.embeddings!
  for (const { name, prepare } of ours) {
    // The kernel's width is that of the whole reference.
    if (name === "mmd embedding") continue
    const others = rowsOf(sample, rest)
    const reference = { ...others, embeddings: { ...others.embeddings!, moments: moments! } }
    close(prepare(sample).split(Int32Array.from(part)), prepare(reference).measure(rowsOf(sample, part)), name, 1e-9)
  }
  const { width, values } = sample.embeddings!
  const squared = (i: number, j: number) =>
    values.subarray(i * width, (i + 1) * width).reduce((sum, value, k) => sum + (value - values[j * width + k]) ** 2, 0)
  const pairs = Array.from({ length: 60 }, (_, i) => Array.from({ length: i }, (_, j) => squared(i, j))).flat()
  const sorted = pairs.sort((a, b) => a - b)
  const scale = (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2
  const mean = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => {
    const kernels = a.flatMap((i) => b.filter((j) => j !== i).map((j) => Math.exp(-squared(i, j) / scale)))
    return kernels.reduce((sum, value) => sum + value, 0) / kernels.length
  }
  const expected = mean(part, part) + mean(rest, rest) - 2 * mean(part, rest)
  close(mmd().prepare(sample).split(Int32Array.from(part)), expected, "mmd", 1e-9)
})

Deno.test("FEATURES.md has the statistics that monitors have without being told", () => {
  const page = Deno.readTextFileSync(new URL("../../../FEATURES.md", import.meta.url))
  const rows = page.split("## What monitors watch")[1].match(/^\| `.*$/gm)!
  assertEquals(
    rows.map((row) => row.split("|").slice(1, 4).map((cell) => cell.trim())),
    statistics.map(({ name, columns, judged }) => [`\`${name}\``, columns.join(", "), judged ? "judged" : "live"]),
  )
})
