/**
 * Training on a file that is read by row groups while the model trains, by the public exports alone.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert"
import { Dataset, Model, Trainer, type TrainEvent } from "@espalier/espalier"
import { parquet } from "@espalier/espalier/parquet"
import * as Effect from "effect/Effect"
import { parquetWriteBuffer } from "hyparquet-writer"
import { data, languageModel, run, tokenizer } from "./language_model.ts"

const sentences = data.rows.map(({ text }) => text)
/** With the length of the longest text as `maxLength`, shapes are those of rows in memory. */
const options = { tokenizer, batchSize: 4, gradientAccumulationSteps: 2, learningRate: 0.01, maxLength: 8 }

/** Trains on a data set, and gives the weights; the run ends early at a step, if one is given. */
const train = (
  open: (path: string) => Effect.Effect<Trainer.TrainingData["train"], unknown, never>,
  more: Trainer.TrainOptions,
  stopAt?: number,
) =>
  run(Effect.gen(function* () {
    const model = yield* languageModel
    const observe = (event: TrainEvent) =>
      event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void
    const train = yield* open(path)
    yield* Effect.exit(Trainer.fit(model, { train }, { ...options, ...more, observe })).pipe(
      Effect.flatMap((exit) => exit._tag === "Failure" && stopAt === undefined ? exit : Effect.void),
    )
    return (yield* Model.readParameters(model)).flatMap(({ data }) => Array.from(data))
  }))

const folder = Deno.makeTempDirSync()
const path = `${folder}/texts.parquet`
Deno.writeFileSync(
  path,
  new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: "text", data: sentences, type: "STRING" }], rowGroupSize: 5 }),
  ),
)
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }))

const streamed = (window: number) => (path: string) =>
  Effect.provide(Dataset.stream(path, { text: "text" }, { window, readers: [parquet()] }), NodeFileSystem.layer)

Deno.test("a window over all rows trains as rows in memory do, to the bit", async () => {
  const whole = await train(() => Effect.succeed(data), { maxSteps: 7 })
  assertEquals(await train(streamed(4096), { maxSteps: 7 }), whole)
  assertNotEquals(await train(streamed(8), { maxSteps: 7 }), whole)
})

Deno.test("a resumed run on a stream is the same run, within and between windows and passes", async () => {
  const more = { maxSteps: 8, saveEvery: 1 }
  const whole = await train(streamed(16), more)
  for (const stopAt of [1, 2, 3, 5]) {
    const runFolder = `${folder}/run-${stopAt}`
    const stopped = await train(streamed(16), { ...more, runFolder }, stopAt)
    assertNotEquals(stopped, whole)
    assertEquals(await train(streamed(16), { ...more, runFolder, resume: true }), whole)
  }
})

Deno.test("epochs of a stream that was divided are passes over its rows, and a resumed run is the same run", async () => {
  const lines = `${folder}/texts.jsonl`
  Deno.writeTextFileSync(lines, sentences.map((text) => JSON.stringify({ text })).join("\n"))
  const divided = () =>
    Dataset.stream(lines, { text: "text" }, { window: 8 }).pipe(
      Dataset.splitStream({ validation: 0.2, test: 0 }),
      Effect.map(({ train }) => train),
      Effect.provide(NodeFileSystem.layer),
    )
  const epochs: Array<number> = []
  const observe = (event: TrainEvent) => Effect.sync(() => event.type === "step" && epochs.push(event.epoch))
  const { count } = await run(divided())
  assert(count! > 12 && count! < 24, `${count} rows`)
  await run(Effect.gen(function* () {
    yield* Trainer.fit(yield* languageModel, { train: yield* divided() }, { ...options, epochs: 3, observe })
  }))
  assertEquals([epochs.length, epochs.at(-1)], [3 * Math.ceil(count! / 8), 3])
  const more = { epochs: 3, saveEvery: 1 }
  const whole = await train(divided, more)
  for (const stopAt of [2, 4]) {
    const runFolder = `${folder}/divided-${stopAt}`
    assertNotEquals(await train(divided, { ...more, runFolder }, stopAt), whole)
    assertEquals(await train(divided, { ...more, runFolder, resume: true }), whole)
  }
})

Deno.test("a run does not go on with another window or other rows", async () => {
  const more = { maxSteps: 8, saveEvery: 1, runFolder: `${folder}/other` }
  await train(streamed(16), more, 2)
  const others = [
    [streamed(8), "window (was 16, is 8)"],
    [(path: string) =>
      Effect.map(streamed(16)(path), (all) => ({
        ...all,
        chunks: {
          async *[Symbol.asyncIterator]() {
            for await (const rows of all.chunks) yield rows.toReversed()
          },
        },
      })), "train.default.digest"],
  ] as const
  for (const [other, message] of others) {
    await assertRejects(() => train(other, { ...more, resume: true }), Error, message)
  }
})

Deno.test("rows behind the first window that changed are noticed on resume", async () => {
  const more = { maxSteps: 8, saveEvery: 1, runFolder: `${folder}/changed` }
  await train(streamed(16), more, 3)
  const changed = (from: number, to = Infinity) => (path: string) =>
    Effect.map(streamed(16)(path), (all) => ({
      ...all,
      chunks: {
        async *[Symbol.asyncIterator]() {
          for await (const rows of all.chunks) {
            yield rows.filter(({ row }) => row <= to).map((one) => one.row > from ? { ...one, text: "changed" } : one)
          }
        },
      },
    }))
  await assertRejects(() => train(changed(16), { ...more, resume: true }), Error, "has other rows than before")
  await assertRejects(() => train(changed(99, 17), { ...more, resume: true }), Error, "than before: a run goes on")
})

Deno.test("rows come in parts, each once a pass, and no more than a window is held", async () => {
  let most = 0
  const rows = sentences.map((text, i) => ({ text, row: i + 1 }))
  const chunks = {
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < rows.length; at += 3) {
        most = Math.max(most, at)
        yield rows.slice(at, at + 3)
      }
    },
  }
  const stream: Dataset.StreamedData<Dataset.TextRow> = {
    kind: Dataset.textRows,
    source: "generated",
    unit: "row",
    labels: [],
    chunks,
    window: 8,
  }
  const weights = await train(() => Effect.succeed(stream), { maxSteps: 1 })
  assert(weights.every(Number.isFinite))
  assert(most < 12, `${most} rows were read for one step of 8`)
})

Deno.test("what a stream cannot do is an error before any work", async () => {
  await assertRejects(() => train(streamed(8), {}), Error, "an epoch of these batches has no end: set maxSteps")
  const failing = (columns: Dataset.Columns, more: Dataset.StreamOptions = {}) =>
    run(
      Effect.flip(
        Effect.provide(Dataset.stream(path, columns, { readers: [parquet()], ...more }), NodeFileSystem.layer),
      ),
    )
  assertStringIncludes((await failing({ text: "text", label: "label" })).message, "name all labels, { labels }")
  assertStringIncludes((await failing({ text: "note" })).message, 'no column "note"')
  assertStringIncludes((await failing({ text: "text" }, { window: 0 })).message, "window must be a whole number from 1")
})
