/**
 * Measures what a model remembers of single rows of your own data. Half of some canaries (random words, with a random
 * label where rows have one) are planted among the rows. A LoRA is trained without differential privacy, and one with it.
 * A membership attack then tells planted canaries from the others by how far their loss fell. Has the flags of `lora.ts`.
 *
 * ```sh
 * deno run -P examples/privacy_audit.ts --epsilon 8 --data reviews.csv --text review --label stars
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { field } from "../core/options/mod.ts"
import { type ResolvedData, type ResolvedRun, resolveRun, runProblems, taskOf } from "../core/run/mod.ts"
import type { Data } from "../core/data/data.ts"
import { makeRng } from "../core/tensor/operations/random.ts"
import { DataError, Dataset, Model, Trainer } from "../mod.ts"
import { families, READERS } from "../plugins/all/mod.ts"
import * as DifferentialPrivacy from "../plugins/differential_privacy/mod.ts"
import * as LoraPlugin from "../plugins/lora/mod.ts"
import * as Lora from "./lora.ts"
import { machine } from "./machine.ts"
import { checkOutput, clearOutput, flagsOf, main, progress } from "./shared.ts"

const { targetEpsilon, delta: { required: _, ...delta }, maxGradNorm } = DifferentialPrivacy.options
const { resume: _resume, trace: _trace, patience: _patience, generalText: _text, ...judged } = Lora.TABLE
const { validation: _validation, ...table } = judged
const WORDS = 8

const flags = flagsOf({
  ...table,
  epochs: { ...table.epochs, default: 10 },
  dropout: { ...table.dropout, default: 0 },
  rows: field.integer({ minimum: 1, default: 1000, doc: "Rows of the data to train on, beside the canaries" }),
  canaries: field.integer({ minimum: 4, default: 400, doc: "Canaries; every other one is planted, once" }),
  epsilon: { ...targetEpsilon, default: 8 },
  delta: { ...delta, default: 1e-5 },
  clip: maxGradNorm,
  output: { ...table.output, default: "runs/privacy_audit" },
})
type Options = Command.Command.Config.Infer<typeof flags>

/** Random words of the rows, a row each, with a random label where the rows have one. */
const canariesOf = (data: Data, count: number, seed: number): Data => {
  const rng = makeRng(seed, 0xca)
  const words = [...new Set(data.rows.flatMap((row) => data.kind.texts(row).join(" ").split(/\s+/)))].sort()
  const rows = Array.from({ length: count }, (_, i) => ({
    row: i + 1,
    text: Array.from({ length: WORDS }, () => words[rng.int(words.length)]).join(" "),
    ...data.labels.length === 0 ? {} : { label: rng.int(data.labels.length) },
  }))
  return { kind: data.kind, source: "canaries", unit: "row", labels: data.labels, rows }
}

/** Rows to train on, rows for the test, and the canaries: those planted and those held out. */
const prepare = ({ path, columns, reading, test, task }: ResolvedData, { rows, canaries: count, seed }: Options) =>
  Effect.gen(function* () {
    const found = yield* Dataset.file(path, columns, reading)
    if (!["classification", "text"].includes(found.kind.name)) {
      const message = `${path}: the audit needs a text column, or a text and a label column; the rows have ` +
        found.kind.columns
      return yield* new DataError({ reason: "BadInput", message })
    }
    const data = yield* Effect.succeed(found).pipe(Dataset.split({ validation: 0, test, seed }))
    const chosen = { ...data.train, rows: data.train.rows.slice(0, rows) } as Data
    const canaries = canariesOf(chosen, count, seed)
    const half = (parity: number) => ({ ...canaries, rows: canaries.rows.filter((_, i) => i % 2 === parity) })
    const [planted, others] = [half(0), half(1)]
    const train = { ...chosen, rows: [...chosen.rows, ...planted.rows] } as Data
    return { train, test: data.test as Data, planted, others, task: taskOf(train, task) }
  })
type Prepared = Effect.Success<ReturnType<typeof prepare>>

/** Trains one model and attacks it by the fall of each canary's loss. */
const attacked = (run: ResolvedRun, { train, test, planted, others, task }: Prepared, output: string, name: string) =>
  Effect.gen(function* () {
    const { seed, training, model: { path, weights, head } } = run
    const { maxLength } = training
    const model = yield* Model.load(path, { task, seed, weights, head })
    const losses = (data: Data) => Effect.map(Trainer.evaluate(model, data, { maxLength }), ({ losses }) => losses)
    const [plantedBefore, othersBefore] = [yield* losses(planted), yield* losses(others)]
    yield* Console.log(`${name}: ${train.rows.length} rows, ${planted.rows.length} of them canaries`)
    const trained = yield* Trainer.fit(model, { train }, { ...training, seed, runFolder: output, observe: progress() })
    const fall = (before: ReadonlyArray<number>, after: ReadonlyArray<number>) => before.map((one, i) => one - after[i])
    const members = fall(plantedBefore, yield* losses(planted))
    const strangers = fall(othersBefore, yield* losses(others))
    const { metrics } = test.rows.length === 0 ? { metrics: {} } : yield* Trainer.evaluate(model, test, { maxLength })
    const bits = DifferentialPrivacy.exposures(members, strangers).toSorted((a, b) => a - b)
    return { name, trained, metrics, attack: DifferentialPrivacy.membershipAttack(members, strangers), bits }
  })
type Attacked = Effect.Success<ReturnType<typeof attacked>>

const meanOf = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length

/** The audit's table, a row for each model. */
const rowsOf = (results: ReadonlyArray<Attacked>) =>
  results.map(({ name, attack: { auc, interval, truePositiveRate }, bits }) => [
    name,
    auc.toFixed(3),
    `${interval[0].toFixed(3)} to ${interval[1].toFixed(3)}`,
    truePositiveRate.toFixed(3),
    meanOf(bits).toFixed(2),
    bits.at(-1)!.toFixed(2),
  ])
const HEAD = ["model", "AUC", "95 % interval", "found at 1 % false positives", "mean exposure, bits", "greatest"]

/** The audit as a section of a report. */
const sectionOf = (results: ReadonlyArray<Attacked>): Trainer.ReportSection => ({
  title: "Privacy audit",
  text:
    "The attack tells planted canaries from others by the fall of their loss; an AUC of 0.5 is chance. Exposure is " +
    `estimated by rank among the canaries not planted: without memory its mean is about 1.44 bits.`,
  table: { head: HEAD, rows: rowsOf(results) },
  chart: {
    title: "Canaries found (share)",
    xLabel: "false positives, %",
    series: results.map(({ name, attack }, i) => ({
      name,
      style: ["train", "validation"][i],
      dots: false,
      points: attack.curve.map(([x, y]) => [100 * x, y] as const),
    })),
  },
})

const audit = (options: Options) =>
  Effect.gen(function* () {
    const { output, epsilon, delta, clip, threads, overwrite } = options
    const spec = Lora.specOf(
      {
        ...options,
        resume: false,
        trace: false,
        patience: undefined,
        generalText: undefined,
        validation: 0,
      } as unknown as Lora.Options,
    )
    const problems = runProblems(spec, Lora.METHODS, READERS)
    if (problems.length > 0) return yield* new DataError({ reason: "BadInput", message: problems.join("\n") })
    const run = yield* resolveRun(spec, "", READERS)
    const { method: _, ...lora } = spec.methods[0]
    // Flags name one file.
    const { one } = run.data as Extract<ResolvedRun["data"], { readonly one: ResolvedData }>
    const folders = [`${output}/plain`, `${output}/private`]
    for (const folder of folders) yield* checkOutput(folder, { resume: false, overwrite })
    const base = Layer.mergeAll(families, LoraPlugin.layer(lora))
    const privacy = DifferentialPrivacy.layer({ targetEpsilon: epsilon, delta, maxGradNorm: clip })
    const runtime = machine({ threads })
    const data = yield* prepare(one, options)
    const results: Array<Attacked> = []
    const step = (folder: string, name: string) =>
      Effect.gen(function* () {
        yield* clearOutput(folder, { resume: false, overwrite })
        const result = yield* attacked(run, data, folder, name)
        results.push(result)
        yield* result.trained.report({
          title: `Privacy audit on ${one.path}: ${name}`,
          facts: { data: String(one.path), canaries: String(options.canaries) },
          evaluations: [{ name: "test rows", metrics: result.metrics }],
          samples: [],
          sections: [sectionOf(results)],
        })
      }).pipe(Effect.scoped)
    yield* step(folders[0], "without privacy").pipe(
      Effect.provide(Layer.provideMerge(base, runtime), { local: true }),
    )
    yield* step(folders[1], `epsilon ${epsilon}`).pipe(
      Effect.provide(Layer.provideMerge(Layer.merge(base, privacy), runtime), { local: true }),
    )
    for (const cells of [HEAD, ...rowsOf(results)]) yield* Console.log(cells.join(" | "))
    yield* Console.log(`report: ${folders[1]}/report.html`)
  })

const command = Command.make("privacy_audit", flags, audit).pipe(
  Command.withDescription("Attacks a model that was trained without and with differential privacy on your own data"),
  Command.withExamples([{
    command: "deno run -P examples/privacy_audit.ts --epsilon 8 --data reviews.csv --text review --label stars",
    description: "What a classifier of reviews remembers of single rows",
  }]),
)

if (import.meta.main) main(command)
