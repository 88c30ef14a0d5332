/**
 * What every database must do.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type * as Dataset from "../../../core/tasks/dataset/dataset.ts"
import * as Sql from "../../../plugins/sql/mod.ts"

export const columns = { text: "body", label: "stars" }
export const READ = "SELECT body, stars FROM reviews ORDER BY id"

/** Makes a table of 3,000 reviews, in plain SQL of both databases. */
export const fill = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql.unsafe("CREATE TABLE reviews (id INTEGER PRIMARY KEY, body TEXT, stars INTEGER, big BIGINT, raw TEXT)")
  for (let at = 0; at < 3000; at += 500) {
    const values = Array.from(
      { length: 500 },
      (_, i) =>
        `(${at + i}, 'review ${at + i}: für ''日本''', ${(at + i) % 5}, ${9007199254740993n + BigInt(at + i)}, NULL)`,
    )
    yield* sql.unsafe(`INSERT INTO reviews VALUES ${values.join(", ")}`)
  }
})

/** What every database must do. */
export const check = Effect.gen(function* () {
  const data = yield* Sql.query(READ, columns)
  assertEquals([data.rows.length, data.labels, data.source], [3000, ["0", "1", "2", "3", "4"], "query"])
  assertEquals(data.rows[2], { text: "review 2: für '日本'", label: 2, row: 3 })
  const ids = yield* Sql.query("SELECT body, big FROM reviews ORDER BY id", { prompt: "body", completion: "big" })
  assertEquals(ids.rows[2999].completion, "9007199254743992")

  const stream = yield* Sql.stream(READ, columns, { labels: data.labels, window: 100 })
  for (let pass = 0; pass < 2; pass++) {
    const rows = yield* Effect.promise(async () => {
      const rows: Array<Dataset.LabeledRow> = []
      let chunks = 0
      for await (const chunk of stream.chunks) {
        rows.push(...chunk)
        chunks++
      }
      assert(chunks > 1, "the rows came at once")
      return rows
    })
    assertEquals(rows, data.rows)
  }

  const wrong = (statement: string) => Effect.map(Effect.flip(Sql.query(statement, columns)), ({ message }) => message)
  const syntax = yield* wrong("SELECT body, stars\nFRUM reviews")
  assertStringIncludes(syntax, "the query fails: ")
  assertStringIncludes(
    yield* wrong("SELECT body,\n  starz FROM reviews"),
    "line 2, column 3:\n    starz FROM reviews\n    ^",
  )
  assertStringIncludes(yield* wrong("SELECT * FROM nowhere"), "line 1, column 15")
  assertStringIncludes(yield* wrong("SELECT body FROM reviews"), 'query has no column "stars"; its columns are "body"')
  assertStringIncludes(yield* wrong("SELECT raw AS body, stars FROM reviews"), 'column "body" is empty in rows 1, 2')
  assertStringIncludes(yield* wrong("SELECT body, stars FROM reviews WHERE id < 0"), "query holds no rows")
})

/** A folder that is removed afterwards. */
export const inFolder = async (use: (folder: string) => Promise<void>) => {
  const folder = await Deno.makeTempDir()
  try {
    await use(folder)
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
}
