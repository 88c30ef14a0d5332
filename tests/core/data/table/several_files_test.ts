/**
 * Several files and patterns as one data set.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { DataError } from "../../../../core/data/data_error.ts"
import * as Dataset from "../../../../core/tasks/dataset/dataset.ts"

const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.runPromise(Effect.provide(effect, NodeFileSystem.layer))
const errorOf = <A>(effect: Effect.Effect<A, DataError, FileSystem.FileSystem>) => run(Effect.flip(effect))

const FILES: Readonly<Record<string, string>> = {
  "part-1.jsonl": '{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}\n',
  "part-2.jsonl": '{"text": "three", "label": "b"}\n\n{"text": "four", "label": "a", "more": 1}\n',
  "part-3.csv": "label,text\na,five\nb,six\n",
  "deep/er/part-4.jsonl": '{"text": "seven", "label": "a"}\n',
  "other.jsonl": '{"body": "one", "label": "a"}\n',
  "empty-[1].jsonl": '{"text": "", "label": "a"}\n{"text": "x", "label": "b"}\n',
}

const withFiles = async (use: (folder: string) => Promise<void>) => {
  const folder = await Deno.makeTempDir()
  try {
    await Deno.mkdir(`${folder}/deep/er`, { recursive: true })
    await Deno.mkdir(`${folder}/part-5.jsonl`)
    for (const [name, text] of Object.entries(FILES)) await Deno.writeTextFile(`${folder}/${name}`, text)
    await use(folder)
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
}

const columns = { text: "text", label: "label" }
const read = ({ rows }: Dataset.LabeledData) => rows.map(({ text, row }) => [text, row] as const)

Deno.test("the files of a pattern and of a list are one data set, in any formats", () =>
  withFiles(async (folder) => {
    const some = await run(Dataset.file(`${folder}/part-*.{jsonl,csv}`, columns))
    assertEquals(read(some), [["one", 1], ["two", 2], ["three", 3], ["four", 4], ["five", 5], ["six", 6]])
    assertEquals([some.labels, some.unit, some.source], [["a", "b"], "row", `${folder}/part-*.{jsonl,csv}`])
    assertEquals(some.rows.map(({ label }) => some.labels[label]), ["a", "b", "b", "a", "a", "b"])
    const listed = await run(Dataset.file([`${folder}/part-3.csv`, `${folder}/part-[12].jsonl`], columns))
    assertEquals(read(listed).map(([text]) => text), ["five", "six", "one", "two", "three", "four"])
    const deep = await run(Dataset.file(`${folder}/**/part-?.jsonl`, columns))
    assertEquals(read(deep).map(([text]) => text), ["seven", "one", "two", "three", "four"])
    const twice = await run(Dataset.file([`${folder}/part-1.jsonl`, `${folder}/part-1.jsonl`], columns))
    assertEquals(twice.rows.length, 2)
  }))

Deno.test("what later files show is told once they were read, and of a divided stream at once", async () => {
  const folder = await Deno.makeTempDir()
  try {
    const rows = Array.from({ length: 20 }, (_, i) => [i % 2 === 0 ? "a" : "b", `text ${i}`])
    const lines = (apart: string) => [["label", "text"], ...rows].map((row) => `${row.join(apart)}\n`).join("")
    await Deno.writeTextFile(`${folder}/1.csv`, lines(","))
    await Deno.writeTextFile(`${folder}/2.csv`, lines(";"))
    const note = `${folder}/2.csv: its columns are parted by semicolons, not by commas`
    const open = Dataset.stream(`${folder}/*.csv`, columns, { labels: ["a", "b"] })
    const stream = await run(open)
    assertEquals([stream.notes, stream.told!()], [undefined, []])
    for await (const _ of stream.chunks);
    assertEquals(stream.told!(), [note])
    assertEquals((await run(Dataset.file(`${folder}/*.csv`, columns))).notes, [note])
    const { train, validation } = await run(open.pipe(Dataset.splitStream({ test: 0 })))
    assertEquals([train.notes, validation.notes], [[note], [note]])
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
})

Deno.test("streams of several files have the same rows", () =>
  withFiles(async (folder) => {
    const stream = await run(Dataset.stream(`${folder}/part-*.{jsonl,csv}`, columns, { labels: ["a", "b"] }))
    for (let pass = 0; pass < 2; pass++) {
      const rows: Array<readonly [string, number]> = []
      for await (const chunk of stream.chunks) rows.push(...chunk.map(({ text, row }) => [text, row] as const))
      assertEquals(rows, [["one", 1], ["two", 2], ["three", 3], ["four", 4], ["five", 5], ["six", 6]])
    }
  }))

Deno.test("a pattern without files, files with other columns, and wrong rows are errors that name the file", () =>
  withFiles(async (folder) => {
    const none = await errorOf(Dataset.file(`${folder}/nothing-*.jsonl`, columns))
    assertEquals(none.reason, "NotFound")
    assertStringIncludes(none.message, "nothing-*.jsonl matches no file")
    assertEquals((await errorOf(Dataset.file([], columns))).reason, "BadInput")
    const missing = await errorOf(Dataset.file(`${folder}/{part-1,other}.jsonl`, columns))
    assertEquals(missing.reason, "MissingColumn")
    assertStringIncludes(missing.message, `${folder}/other.jsonl has no column "text"; its columns are "body", "label"`)
    const unlike = await errorOf(Dataset.readTable(`${folder}/{part-1,other}.jsonl`))
    assertStringIncludes(
      unlike.message,
      `part-1.jsonl has no column "body" and has a column "text" of its own, unlike ${folder}/other.jsonl`,
    )
    // A name with such characters is a name where there is a file of it.
    assertStringIncludes(
      (await errorOf(Dataset.file(`${folder}/empty-[1].jsonl`, columns))).message,
      'column "text" is empty in row 1; fill these rows or take them out (row 1 is row 1 of ',
    )
    const empty = await errorOf(Dataset.file([`${folder}/part-1.jsonl`, `${folder}/empty-[1].jsonl`], columns))
    assertEquals(empty.rows, [3])
    assertStringIncludes(empty.message, `(row 3 is row 1 of ${folder}/empty-[1].jsonl)`)
  }))
