/**
 * `deno task drift agnews=PATH [key=value ...]`: how soon a monitor notices drift, and how often it is wrong, on streams of SMS and
 * AG News. The included model learns to tell spam by LoRA; its profile is of SMS that it was not trained on. Prints the table of
 * docs/monitor.md. Nothing was tuned.
 *
 * The file of AG News (text, topic, without a header) may not be shipped: tab-separated.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Monitor from "@espalier/espalier/monitor"
import { makeRng, type Rng } from "../../core/tensor/operations/random.ts"

const numbers: Record<string, number> = {
  seeds: 50,
  profile: 1000,
  window: 100,
  before: 5,
  after: 10,
  falseAlarms: 0.01,
  spam: 0.3,
  rise: 0.02,
}
let agnews = ""
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (name === "agnews") agnews = value
  else if (name in numbers && Number(value) > 0) numbers[name] = Number(value)
  else throw new Error(`Expected NAME=NUMBER or agnews=PATH, got "${argument}"`)
}
if (agnews === "") throw new Error("Say where the data of AG News lies: agnews=PATH")
const { seeds, profile: rows, window, before, after, falseAlarms, spam, rise } = numbers
const maxLength = 128

/** An answered row; news is no spam. */
interface Row {
  readonly spam: boolean
  readonly live: Monitor.Observation
  readonly judged: Monitor.Observation
}

/** All rows that the classifier was not trained on, answered. */
const answered = Effect.gen(function* () {
  const columns = { text: "SMS", label: "Label" }
  const { train, test } = yield* Dataset.tsv("examples/data/sms_spam.tsv", columns).pipe(
    Dataset.split({ validation: 0, test: 0.75, seed: 1 }),
  )
  const model = yield* Model.load("examples/models/espalier-1m", { task: Task.classification(train.labels), seed: 1 })
  yield* Trainer.fit(model, { train }, { epochs: 3, batchSize: 16, learningRate: 3e-3, maxLength, seed: 1 })
  const { metrics } = yield* Trainer.evaluate(model, test, { maxLength })
  console.error(`${train.rows.length} rows trained on, ${test.rows.length} for the streams: ${JSON.stringify(metrics)}`)
  const news = yield* Dataset.tsv(agnews, { text: "text" }, { header: ["text", "topic"] })
  const observed = (texts: ReadonlyArray<string>, labels: ReadonlyArray<string>) =>
    Effect.map(Monitor.observe(model, texts, { maxLength }), (all) =>
      all.map((one, i): Row => ({
        spam: labels[i] === "spam",
        live: one.observation,
        judged: Monitor.judged(one, labels[i], train.labels),
      })))
  const some = news.rows.slice(0, 2500).map(({ text }) => text)
  return {
    labels: train.labels,
    sms: yield* observed(test.rows.map(({ text }) => text), test.rows.map(({ label }) => test.labels[label])),
    news: yield* observed(some, some.map(() => "ham")),
  }
})

/** Windows of a stream: each share of the rows comes from one pile, none of them twice. */
type Piles = Readonly<Record<"sms" | "ham" | "spam" | "news", Array<Row>>>
type Parts = Partial<Record<keyof Piles, number>>
const SMS: Parts = { sms: 1 }
/** What comes in the n-th window after the change, n from 1. */
const streams: Readonly<Record<string, (n: number) => Parts>> = {
  "none": () => SMS,
  "SMS, then AG News": () => ({ news: 1 }),
  [`${100 * spam} % spam`]: () => ({ spam, ham: 1 - spam }),
  [`${100 * rise} % more AG News a window`]: (n) => ({ news: rise * n, sms: 1 - rise * n }),
}

const pilesOf = (sms: ReadonlyArray<Row>, news: ReadonlyArray<Row>, rng: Rng): Piles => {
  const shuffled = rng.shuffle(sms)
  return {
    sms: [...shuffled],
    ham: shuffled.filter((row) => !row.spam),
    spam: shuffled.filter((row) => row.spam),
    news: rng.shuffle(news),
  }
}

const drawn = (piles: Piles, parts: Parts): ReadonlyArray<Row> =>
  Object.entries(parts).flatMap(([name, share]) => {
    const taken = piles[name as keyof Piles].splice(0, Math.round(share * window))
    if (taken.length < Math.round(share * window)) throw new Error(`No more rows of ${name}`)
    return taken
  })

interface Outcome {
  /** Windows before the change, and those of them with an alarm. */
  quiet: number
  wrong: number
  /** Windows from the change to the first alarm, of each seed that had one. */
  readonly delays: Array<number>
  readonly first: Map<string, number>
}
const outcomes = new Map<string, Outcome>()

const { labels, sms, news } = await Effect.runPromise(
  answered.pipe(
    Effect.scoped,
    Effect.provide(
      Layer.merge(Lora.layer({ r: 8, loraAlpha: 16, targetModules: ["q_proj", "v_proj"] }), Llama.layer).pipe(
        Layer.provideMerge(Espalier.layer),
      ),
    ),
  ),
)

for (let seed = 1; seed <= seeds; seed++) {
  const rng = makeRng(seed, 5)
  const mixed = rng.shuffle(sms)
  const reference = mixed.slice(0, rows).map(({ judged }) => judged)
  const monitor = await Effect.runPromise(
    Effect.flatMap(
      Monitor.profileFrom(reference, { labels }),
      (profile) => Monitor.monitor(profile, { window, falseAlarms, seed }),
    ),
  )
  for (const [name, partsOf] of Object.entries(streams)) {
    const piles = pilesOf(mixed.slice(rows), news, rng)
    const found: Partial<Record<Monitor.WindowKind, number>> = {}
    for (let i = 1; i <= before + after; i++) {
      const n = i - before
      const taken = drawn(piles, n > 0 ? partsOf(n) : SMS)
      const reports = [
        ...monitor.observe(taken.map(({ live }) => live)),
        ...monitor.judge(taken.map(({ judged }) => judged)),
      ]
      for (const { kind, alarms } of reports) {
        const key = `${name} | ${kind}`
        const own: Outcome = outcomes.get(key) ?? { quiet: 0, wrong: 0, delays: [], first: new Map() }
        outcomes.set(key, own)
        const quiet = n <= 0 || name === "none"
        if (quiet) own.quiet++
        if (alarms.length === 0) continue
        if (quiet) own.wrong++
        else if (found[kind] === undefined) {
          found[kind] = n
          own.delays.push(n)
          for (const alarm of alarms) own.first.set(alarm, (own.first.get(alarm) ?? 0) + 1)
        }
      }
    }
  }
  console.error(`seed ${seed} of ${seeds}`)
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
console.log(
  `| stream | answers | false alarms | noticed | windows until then | by |\n| --- | --- | --- | --- | --- | --- |`,
)
for (const [key, { quiet, wrong, delays, first }] of outcomes) {
  const by = [...first].sort(([, a], [, b]) => b - a).slice(0, 3).map(([name, count]) => `${name} (${count})`)
  const cells = key.startsWith("none") ? ["", "", ""] : [
    `${delays.length} of ${seeds}`,
    delays.length === 0 ? "" : `${median(delays)} (${Math.min(...delays)} to ${Math.max(...delays)})`,
    by.join(", "),
  ]
  console.log(`| ${key} | ${percent(wrong / quiet)} of ${quiet} | ${cells.join(" | ")} |`)
}
