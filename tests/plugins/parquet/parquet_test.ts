import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assertEquals, assertStringIncludes } from "@std/assert"
import { type DataError, Dataset } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { parquetWriteBuffer } from "hyparquet-writer"
import { parquet } from "@espalier/espalier/parquet"

const texts = Array.from({ length: 25 }, (_, i) => `text ${i}: ärger "quoted", tab\t and 日本`)
const content = parquetWriteBuffer({
  columnData: [
    { name: "note", data: texts, type: "STRING" },
    { name: "kind", data: texts.map((_, i) => i % 2 === 0 ? "spam" : "ham"), type: "STRING" },
    { name: "id", data: texts.map((_, i) => 9007199254740993n + BigInt(i)), type: "INT64" },
    { name: "score", data: texts.map((_, i) => i / 3), type: "DOUBLE" },
    { name: "tags", data: texts.map((_, i) => ({ a: [i] })), type: "JSON" },
  ],
  rowGroupSize: 10,
})

const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.runPromise(Effect.provide(effect, NodeFileSystem.layer))

const withFile = async (name: string, bytes: ArrayBuffer, use: (path: string) => Promise<void>) => {
  const folder = await Deno.makeTempDir()
  try {
    await Deno.writeFile(`${folder}/${name}`, new Uint8Array(bytes))
    await use(`${folder}/${name}`)
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
}

const readers = [parquet()]
const errorOf = async <A>(effect: Effect.Effect<A, DataError, FileSystem.FileSystem>): Promise<DataError> =>
  await run(Effect.flip(effect))

Deno.test("Parquet: rows by row group, found by extension, by content and by name", async () => {
  const columns = { text: "note", label: "kind" }
  for (const [name, format] of [["a.parquet"], ["a.csv"], ["a.dat", "parquet"]]) {
    await withFile(name, content, async (path) => {
      const data = await run(Dataset.file(path, columns, { readers, ...format === undefined ? {} : { format } }))
      assertEquals(data.labels, ["ham", "spam"])
      assertEquals(data.rows.map(({ text, row }) => [text, row]), texts.map((text, i) => [text, i + 1]))
    })
  }
  await withFile("a.parquet", content, async (path) => {
    const chunks = await run(Effect.flatMap(Dataset.openTable(path, { readers }), Stream.runCollect))
    assertEquals(chunks.map(({ rows }) => rows.length), [10, 10, 5])
    const ids = await run(Dataset.file(path, { prompt: "note", completion: "id" }, { readers }))
    assertEquals(ids.rows[24].completion, "9007199254741017")
    const scores = await run(Dataset.file(path, { text: "note", scores: "score" }, { readers }))
    assertEquals(scores.rows[4].scores, [4 / 3])
  })
})

Deno.test("Parquet: nested columns, missing columns and files that are not whole are errors that say so", () =>
  withFile("a.parquet", content, async (path) => {
    const nested = await errorOf(Dataset.file(path, { text: "tags" }, { readers }))
    assertEquals([nested.reason, nested.rows?.length], ["Malformed", 25])
    assertStringIncludes(nested.message, 'column "tags": text or a number is wanted, not a list or an object,')
    const missing = await errorOf(Dataset.file(path, { text: "nope" }, { readers }))
    assertStringIncludes(missing.message, 'no column "nope"; its columns are "note", "kind", "id", "score", "tags"')
    await Deno.writeFile(path, new Uint8Array(content).subarray(0, 400))
    assertEquals((await errorOf(Dataset.file(path, { text: "note" }, { readers }))).reason, "Unreadable")
    const unknown = await errorOf(Dataset.file(path, { text: "note" }, { readers, format: "paruqet" }))
    assertStringIncludes(unknown.message, "known are parquet, csv, tsv, json, jsonl, text")
    assertStringIncludes((await errorOf(Dataset.file(path, { text: "note" }))).message, "a Parquet file")
  }))
