/**
 * Text that is parsed as it is read.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { READERS } from "../../../../core/data/readers/builtin.ts"
import type { OpenOptions } from "../../../../core/data/readers/reader.ts"
import type { Source } from "../../../../core/data/table/source.ts"
import { gzip, sourceOf } from "./support.ts"

const readerOf = (name: string) => READERS.find((reader) => reader.name === name)!

const all = (source: Source, format = "jsonl", options: OpenOptions = {}) =>
  Effect.runPromise(
    readerOf(format).open(source, { streamed: true, ...options }).pipe(
      Effect.flatMap(Stream.runCollect),
      Effect.map((chunks) => ({
        chunks: chunks.length,
        rows: chunks.flatMap(({ rows }) => rows),
        places: chunks.flatMap(({ places }) => places!),
      })),
    ),
  )

const LINES = 60_000
const lines = Array.from(
  { length: LINES },
  (_, i) => JSON.stringify({ id: i, text: `línea ${i} ${"日本 ".repeat(20)}` }),
)
const bytes = new TextEncoder().encode(lines.join("\r\n") + "\r\n")

Deno.test("JSON Lines in parts have the rows and lines of the whole, gzipped or not", async () => {
  const whole = await all(sourceOf(bytes).source, "jsonl", { streamed: false })
  assertEquals([whole.chunks, whole.rows.length], [1, LINES])
  for (const content of [bytes, await gzip(bytes)]) {
    const { source, read } = sourceOf(content)
    const parts = await all(source)
    assert(parts.chunks > 1, `${parts.chunks} chunks`)
    assertEquals(parts.rows, whole.rows)
    assertEquals(parts.places, whole.places)
    assert(!read.whole)
  }
})

Deno.test("a stream reads no further than it is taken", async () => {
  const { source, read } = sourceOf(bytes)
  const stream = await Effect.runPromise(readerOf("jsonl").open(source, { streamed: true }))
  for await (const _ of Stream.toAsyncIterable(stream)) break
  assert(read.to < bytes.length, `${read.to} of ${bytes.length} bytes were read`)
})

Deno.test("plain text of a document a line in parts; a line may be longer than a part", async () => {
  const long = "word ".repeat(2_000_000)
  const text = new TextEncoder().encode(`first\n${long}\nlast ${"x".repeat(10)}`)
  const { rows, places } = await all(sourceOf(text).source, "text")
  assertEquals(rows.map((row) => row.text), ["first", long, `last ${"x".repeat(10)}`])
  assertEquals(places, [1, 2, 3])
  const paragraphs = new TextEncoder().encode("a\nb\n\nc\n")
  assertEquals((await all(sourceOf(paragraphs).source, "text", { document: "paragraph" })).rows.length, 2)
})

Deno.test("JSON under the name of JSON Lines, and UTF-16, are parsed as a whole", async () => {
  const encode = (text: string) => new TextEncoder().encode(text)
  for (const text of ['[{"a": 1}, {"a": 2}]', '[\n{"a": 1},\n{"a": 2}\n]']) {
    assertEquals((await all(sourceOf(encode(text)).source)).rows, [{ a: 1 }, { a: 2 }])
  }
  const wide = new Uint8Array(
    new Uint16Array([0xfeff, ...[...'{"a": 1}\n{"a": 2}'].map((c) => c.charCodeAt(0))]).buffer,
  )
  assertEquals((await all(sourceOf(wide).source)).rows, [{ a: 1 }, { a: 2 }])
})

Deno.test("what is wrong in a later part has its line; what is no text is named", async () => {
  const failing = (content: Uint8Array<ArrayBuffer>) =>
    all(sourceOf(content).source).then(() => "nothing", (error) => error.message as string)
  const replaced = (line: number, by: Uint8Array) => {
    const before = new TextEncoder().encode(lines.slice(0, line - 1).join("\n") + "\n")
    const after = new TextEncoder().encode("\n" + lines.slice(line).join("\n"))
    const joined = new Uint8Array(before.length + by.length + after.length)
    joined.set(before)
    joined.set(by, before.length)
    joined.set(after, before.length + by.length)
    return joined
  }
  const late = LINES - 50
  assertStringIncludes(await failing(replaced(late, new TextEncoder().encode('{"id": '))), `line ${late}: not JSON`)
  assertStringIncludes(await failing(replaced(late, new Uint8Array([0x22, 0xff, 0xfe, 0x22]))), `line ${late}`)
  assertStringIncludes(await failing(new TextEncoder().encode("PAR1\x15\x04")), "a Parquet file")
  assertStringIncludes(await failing(new TextEncoder().encode(" \n\n")), "holds no rows")
  const packed = await gzip(bytes)
  assertStringIncludes(await failing(packed.slice(0, packed.length - 2000)), "is not one whole gzip file")
})
