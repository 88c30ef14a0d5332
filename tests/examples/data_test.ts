/**
 * Data that people have, through the steps that all training examples share: patterns of files, streams, Parquet, SQLite, and
 * what the report says of them.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { parquetWriteBuffer } from "hyparquet-writer"
import { DatabaseSync } from "node:sqlite"
import { saveTokenizer, trainBpe } from "../../core/data/tokenizer/training/train_bpe.ts"
import { saveCheckpoint } from "../../core/model/mod.ts"
import type { DataSpec, RunSpec } from "../../core/run/mod.ts"
import { METHODS, runSpec } from "../../examples/lora.ts"
import { languageModel, texts } from "../core/training/support.ts"
import { inDirectory } from "../plugins/files.ts"
import { run } from "../support/model_layer.ts"

const { rows, labels } = texts(120)
/** Rows that no other is like; one text has an address. */
const records = rows.map(({ text, label }, i) => ({
  body: i === 7 ? "write to nobody@example.com of the moon" : `${text} ${i} ${text}`,
  kind: labels[label],
}))
const lines = records.map((record) => JSON.stringify(record))

const makeFiles = (directory: string) =>
  run(Effect.gen(function* () {
    yield* saveCheckpoint(yield* languageModel(), `${directory}/model`)
    yield* saveTokenizer(`${directory}/model`, trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
    Deno.writeTextFileSync(`${directory}/part-1.jsonl`, lines.slice(0, 50).join("\n"))
    Deno.writeTextFileSync(`${directory}/part-2.jsonl`, lines.slice(50).join("\n"))
    const columnData = (["body", "kind"] as const).map((name) => ({ name, data: records.map((row) => row[name]) }))
    Deno.writeFileSync(`${directory}/all.parquet`, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 40 })))
    const database = new DatabaseSync(`${directory}/all.db`)
    database.exec("CREATE TABLE texts (body TEXT, kind TEXT)")
    const insert = database.prepare("INSERT INTO texts VALUES (?, ?)")
    for (const { body, kind } of records) insert.run(body, kind)
    database.close()
  }))

const train = async (directory: string, data: DataSpec, more: Partial<RunSpec> = {}) => {
  const output = `${directory}/out`
  const spec: RunSpec = {
    model: { path: `${directory}/model` },
    data: { text: "body", label: "kind", test: 0.2, ...data },
    methods: [{ method: "lora", r: 2 }],
    training: { maxSteps: 2, batchSize: 8, maxLength: 24 },
    output,
    ...more,
  }
  const flags = { resume: false, overwrite: true, trace: false, threads: 1 }
  await Effect.runPromise(Effect.provide(runSpec(spec, METHODS, flags), NodeServices.layer))
  const summary = JSON.parse(await Deno.readTextFile(`${output}/summary.json`))
  return { summary, report: await Deno.readTextFile(`${output}/report.html`) }
}

Deno.test("files of a pattern, Parquet and SQLite give the same run; the report has a data card and a balance", () =>
  inDirectory(async (directory) => {
    await makeFiles(directory)
    const balance = { sky: { day: ["sun", "cloud"], night: ["moon", "star"] } }
    const first = await train(directory, { path: `${directory}/part-*.jsonl` }, { balance })
    for (
      const part of [
        "Data card: rows and lengths",
        "Data card: balance of the labels",
        "Data card: near duplicates",
        "Data card: personal data",
        "Data card: labels that are likely wrong",
        "Balance: sky, words swapped",
        "Balance: sky, by group",
      ]
    ) {
      assertStringIncludes(first.report, part)
    }
    const { dataCard } = first.summary
    assertEquals(dataCard.personal, [{ kind: "e-mail address", count: 1, rows: [8] }])
    assertEquals(dataCard.rows, { training: 84, validation: 12, test: 24 })
    assert(first.summary.balance.after.axes[0].swaps[0].rows > 5)
    assert(!JSON.stringify(first.summary).includes("nobody"))
    const others: ReadonlyArray<DataSpec> = [
      { path: `${directory}/all.parquet` },
      { path: `${directory}/all.db`, query: "SELECT kind, body FROM texts ORDER BY rowid" },
    ]
    for (const other of others) {
      const { summary } = await train(directory, other)
      assertEquals([summary.test, summary.dataCard.lengths], [first.summary.test, dataCard.lengths])
      assertEquals(summary.balance, undefined)
    }
  }))

Deno.test("a stream trains for epochs, is judged by rows of its own, and says what it cannot do", () =>
  inDirectory(async (directory) => {
    await makeFiles(directory)
    const data = { path: `${directory}/part-?.jsonl`, stream: true, window: 16, labels: ["food", "sky"] }
    const training = { epochs: 2, batchSize: 8, maxLength: 24 }
    const { summary, report } = await train(directory, data, { training })
    const { validation, test } = summary.dataCard.rows
    assertEquals([validation, test], [12, 16])
    assertEquals(summary.steps, 2 * Math.ceil((120 - 28) / 8))
    assertStringIncludes(report, "Data card: rows and lengths")
    const wrong = async (own: Partial<DataSpec>) => {
      const error = await train(directory, { ...data, ...own }, { training }).then(() => new Error("nothing"), (e) => e)
      return error.message as string
    }
    assertStringIncludes(await wrong({ labels: undefined as never }), "name all labels")
    assertStringIncludes(await wrong({ validation: 0, test: 0 }), "no rows are held out to judge by")
    assertStringIncludes(await wrong({ path: `${directory}/none-*.jsonl` }), "matches no file")
  }))
