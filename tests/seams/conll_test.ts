/**
 * The reader of `docs/add_a_reader.md`: words with tags in columns, written against the public exports alone.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assertEquals } from "@std/assert"
import { Dataset } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { importPage } from "../support/page.ts"

const { conll } = await importPage<{
  readonly conll: (options?: { readonly word?: number; readonly tag?: number }) => Dataset.Reader
}>("docs/add_a_reader.md")

const read = async (content: string, reader: Dataset.Reader) => {
  const path = await Deno.makeTempFile({ suffix: ".conll" })
  try {
    await Deno.writeTextFile(path, content)
    const data = Dataset.file(path, { words: "words", tags: "tags" }, { readers: [reader] })
    return await Effect.runPromise(Effect.result(data).pipe(Effect.provide(NodeFileSystem.layer)))
  } finally {
    await Deno.remove(path)
  }
}

Deno.test("CoNLL: sentences with the columns of words and tags, on any line ends", async () => {
  const content = "# a comment\r\n1\tÄrger\tNN\tB-MISC\r\n2\tin\tIN\tO\r\n\r\n\r\n1\t日本\tNNP\tB-LOC"
  const { success: data } = await read(content, conll({ word: 1 })) as { readonly success: Dataset.TaggedData }
  assertEquals(data.labels, ["B-LOC", "B-MISC", "O"])
  assertEquals(data.rows, [
    { words: ["Ärger", "in"], text: "Ärger in", labels: [1, 2], row: 2 },
    { words: ["日本"], text: "日本", labels: [0], row: 6 },
  ])
  assertEquals(data.unit, "line")
})

Deno.test("CoNLL: a word without a tag, and a column that is not there, are errors with their lines", async () => {
  const short = await read("EU B-ORG\nrejects\n", conll()) as { readonly failure: { readonly rows: unknown } }
  assertEquals(short.failure.rows, [2])
  const beyond = await read("EU B-ORG\n", conll({ tag: 4 })) as { readonly failure: { readonly reason: unknown } }
  assertEquals(beyond.failure.reason, "EmptyText")
})
