import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { SqlClient } from "effect/sql/SqlClient"
import * as Retrieval from "../../../plugins/retrieval/mod.ts"
import { layer } from "../../../plugins/sqlite/mod.ts"
import { inDirectory } from "../files.ts"
import { DOCUMENTS, words } from "./support.ts"

const path = (name: string) => new URL(`../../../${name}`, import.meta.url).pathname
const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.provide(NodeFileSystem.layer)))
const failure = <E extends Error>(effect: Effect.Effect<unknown, E, FileSystem.FileSystem>): Promise<E> =>
  run(Effect.flip(effect))
const nearest = (index: Retrieval.PassageIndex) =>
  run(
    Effect.map(
      Retrieval.search(index, ["when are boats in the harbour", "a ticket for children"], { count: 2 }),
      (all) => all.map((found) => found.map(({ source, text, score }) => [source, text, score])),
    ),
  )

Deno.test("a search finds the passages with the words of a query, and a saved index finds the same", () =>
  inDirectory(async (folder) => {
    const database = layer(`${folder}/index.db`)
    const index = await run(Retrieval.index(words(), DOCUMENTS, { passageLength: 30, overlap: 0 }))
    assertEquals(index.passages.length, 6)
    const found = await nearest(index)
    assertEquals(found.map(([[source]]) => source), ["harbour.md", "prices.txt"])
    assertEquals(found[1].map(([source]) => source), ["prices.txt", "prices.txt"])
    await run(Retrieval.save(index).pipe(Effect.provide(database)))
    const again = await run(Retrieval.open(words()).pipe(Effect.provide(database)))
    assertEquals(again.passages, index.passages)
    assertEquals(again.vectors, index.vectors)
    assertEquals(await nearest(again), found)
    // A second index takes the place of the first.
    const other = await run(Retrieval.index(words(), DOCUMENTS.slice(0, 1)))
    await run(Retrieval.save(other).pipe(Effect.provide(database)))
    assertEquals((await run(Retrieval.open(words()).pipe(Effect.provide(database)))).passages, other.passages)
  }))

Deno.test("an index of another encoder, of another width, without passages, and no index are errors", () =>
  inDirectory(async (folder) => {
    const database = layer(`${folder}/index.db`)
    const opened = (encoder: Retrieval.Encoder) => failure(Retrieval.open(encoder).pipe(Effect.provide(database)))
    const none = await opened(words())
    assertEquals((none as { reason?: string }).reason, "Unreadable")
    assertStringIncludes(none.message, "no such table")
    const index = await run(Retrieval.index(words("first"), DOCUMENTS))
    await run(Retrieval.save(index).pipe(Effect.provide(database)))
    const other = await opened(words("second", { shift: 7 }))
    assertStringIncludes(other.message, "the index was made with another encoder (first) than second")
    const narrow = await opened(words("second", { width: 32 }))
    assertStringIncludes(narrow.message, "second gives vectors of 32 numbers, the index has vectors of 64")
    const mixed = await failure(Retrieval.search({ ...index, encoder: words("second", { width: 32 }) }, ["a"]))
    assertStringIncludes(mixed.message, "second gives vectors of 32 numbers")
    await run(Effect.flatMap(SqlClient, (sql) => sql`DELETE FROM espalier_passages`).pipe(Effect.provide(database)))
    assertEquals((await opened(words())).message, "the index in the database has no passages")
    const wrong = await failure(Retrieval.search(index, "a" as never))
    assertStringIncludes(wrong.message, "queries must be a list of texts")
    assertStringIncludes(
      (await failure(Retrieval.search(index, ["a"], { count: 0 }))).message,
      "count must be a whole number",
    )
  }))

Deno.test("an index that cannot be written whole leaves the one before", () =>
  inDirectory(async (folder) => {
    const database = layer(`${folder}/index.db`)
    const index = await run(Retrieval.index(words(), DOCUMENTS))
    await run(Retrieval.save(index).pipe(Effect.provide(database)))
    const broken = {
      ...index,
      passages: [...index.passages.slice(0, 2), { ...index.passages[2], text: null as never }],
    }
    const error = await failure(Retrieval.save(broken).pipe(Effect.provide(database)))
    assertStringIncludes(error.message, "NOT NULL")
    assertEquals((await run(Retrieval.open(words()).pipe(Effect.provide(database)))).passages, index.passages)
  }))

Deno.test("the nearest vectors are those that sorting all finds, and a graph finds nearly all of them", async () => {
  // The package is native: it asks for permissions that tests do not have.
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      "--no-lock",
      "--config",
      path("deno.json"),
      path("tests/plugins/retrieval/nearest.ts"),
    ],
  }).output()
  assertEquals(code, 0, new TextDecoder().decode(stderr))
  const { exact, graph, coarse, error, all, wrong } = JSON.parse(new TextDecoder().decode(stdout))
  assertEquals([exact, all], [1, 2000])
  assert(error < 1e-5, `scores are off by ${error}`)
  assert(graph > 0.95, `${graph}`)
  assert(coarse < graph, "the options play no part")
  assertStringIncludes(wrong, "connectivity must be a whole number from 2")
})
