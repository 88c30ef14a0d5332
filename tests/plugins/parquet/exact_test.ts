/**
 * Files of pyarrow, polars and DuckDB, with what Python reads from them: `tests/fixtures/parquet/make.py` wrote both.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { parquetWriteBuffer } from "hyparquet-writer"
import type { DataError } from "../../../core/data/data_error.ts"
import type { OpenOptions } from "../../../core/data/readers/reader.ts"
import * as Dataset from "../../../core/tasks/dataset/dataset.ts"
import { parquet } from "../../../plugins/parquet/mod.ts"
import { fixture } from "../../support/model_layer.ts"

const readers = [parquet()]
const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.runPromise(Effect.provide(effect, NodeFileSystem.layer))
const messageOf = <A>(effect: Effect.Effect<A, DataError, FileSystem.FileSystem>) =>
  run(Effect.map(Effect.flip(effect), ({ message }) => message))

const chunksOf = (name: string, wanted: Omit<OpenOptions, "query"> = {}) =>
  run(Effect.flatMap(Dataset.openTable(fixture(`parquet/${name}.parquet`), { readers }, wanted), Stream.runCollect))

/** A value as make.py shows it: large integers as text, what is missing as null. */
const shown = (value: unknown): unknown => {
  if (value === undefined || value === null) return null
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (Array.isArray(value)) return value.map(shown)
  if (typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shown(one)]))
}

const expected: Readonly<Record<string, ReadonlyArray<unknown>>> = JSON.parse(
  Deno.readTextFileSync(fixture("parquet/expected.json")),
)

for (const name of ["snappy", "zstd", "gzip", "lz4", "brotli"]) {
  Deno.test(`Parquet of pyarrow, packed with ${name}: every value is that of Python`, async () => {
    const chunks = await chunksOf(name)
    assertEquals(chunks.map(({ rows }) => rows.length), [3, 1])
    const rows = chunks.flatMap(({ rows }) => rows)
    assert(Object.keys(expected).length > 20)
    for (const [column, values] of Object.entries(expected)) {
      assertEquals(rows.map((row) => shown(row[column])), values, `${name}: ${column}`)
    }
    assertEquals(new Set(Object.keys(rows[0])), new Set(Object.keys(expected)))
  })
}

Deno.test("Parquet: the oldest timestamps keep nanoseconds; polars and DuckDB are read", async () => {
  const [{ rows }] = await chunksOf("int96", { columns: ["when"] })
  assertEquals(rows.map(({ when }) => when), ["2024-02-29T00:00:00.000000001Z", "1970-01-01T00:00:00.000Z"])
  const before = Dataset.file(fixture("parquet/int96.parquet"), { prompt: "text", completion: "old" }, { readers })
  assertStringIncludes(
    await messageOf(before),
    'column "old": it holds INT96 timestamps before 1970 that cannot be read',
  )
  const [polars] = await chunksOf("polars")
  const { messages } = expected
  assertEquals(polars.rows.map((row) => shown(row.messages)), [messages[0], messages[3]])
  const [duck] = await chunksOf("duckdb")
  assertEquals(shown(duck.rows[0]), {
    text: "one",
    span: "P1M2DT3.5S",
    price: "12.5",
    messages: [{ role: "user", content: "Hi" }],
    id: "00112233-4455-6677-8899-aabbccddeeff",
    raw: { bytes: [114, 97, 119] },
  })
})

Deno.test("Parquet: only the wanted columns are read", async () => {
  const bytes = Deno.readFileSync(fixture("parquet/snappy.parquet"))
  let read = 0
  const source: Dataset.Source = {
    name: "counted.parquet",
    size: Effect.succeed(bytes.length),
    bytes: Effect.die("the whole file was read"),
    part: (start, length) =>
      Effect.sync(() => {
        read += length
        return bytes.subarray(start, start + length)
      }),
  }
  const take = async (wanted: OpenOptions) => {
    read = 0
    const chunks = await run(Effect.flatMap(parquet().open(source, wanted), Stream.runCollect))
    return chunks.flatMap(({ rows }) => rows)
  }
  assertEquals(await take({ columns: ["text"] }), expected.text.map((text) => ({ text })))
  const few = read - bytes.length
  await take({})
  assert(few < (read - bytes.length) / 4, `${few} bytes of ${read - bytes.length}`)
})

Deno.test("Parquet: columns that are nested or hold bytes are no texts, and are named before they are read", async () => {
  const path = fixture("parquet/snappy.parquet")
  const wrong = (columns: Dataset.Columns) => messageOf(Dataset.file(path, columns, { readers }))
  const nested = await wrong({ prompt: "messages", completion: "struct" })
  assertStringIncludes(
    nested,
    'text is wanted where columns are nested: "messages" (list of { content, role }), "struct" ({ when, id }); its columns ' +
      'of single values are "text", "maybe"',
  )
  assertStringIncludes(await wrong({ text: "words" }), '"words" (list of values)')
  assertStringIncludes(await wrong({ text: "map" }), '"map" (map)')
  assertStringIncludes(
    await wrong({ text: "bytes" }),
    'text is wanted where columns hold bytes: "bytes" (bytes); write',
  )
  assertStringIncludes(await wrong({ text: "text", label: "bytes" }), 'column "bytes": text or a number is wanted')
  assertStringIncludes(await wrong({ text: "maybe" }), 'column "maybe" is empty in row 2')
  assertStringIncludes(await wrong({ text: "nope" }), 'has no column "nope"; its columns are "text", "maybe"')
})

Deno.test("Parquet: a column of text that is not UTF-8 is an error with its rows", async () => {
  const path = await Deno.makeTempFile({ suffix: ".parquet" })
  try {
    const data = ["one", "twx", "three", "twx", "five"]
    const bytes = new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: "text", data, type: "STRING" }],
        codec: "UNCOMPRESSED",
        rowGroupSize: 3,
      }),
    )
    // Each "x" becomes half of a character.
    for (let at = 2; at < bytes.length; at++) {
      if (new TextDecoder().decode(bytes.subarray(at - 2, at + 1)) === "twx") bytes[at] = 0xc3
    }
    await Deno.writeFile(path, bytes)
    const error = await run(Effect.flip(Dataset.file(path, { text: "text" }, { readers })))
    assertStringIncludes(error.message, 'column "text": it holds text that is not UTF-8 in row 2')
    assertEquals(error.rows, [2])
  } finally {
    await Deno.remove(path)
  }
})
