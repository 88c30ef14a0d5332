/**
 * Rows of queries: from SQLite over node:sqlite, and from a PostgreSQL server where one is installed.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { DataError } from "../../../core/data/data_error.ts"
import * as Dataset from "../../../core/tasks/dataset/dataset.ts"
import * as Sqlite from "../../../plugins/sqlite/mod.ts"
import { check, columns, fill, inFolder, READ } from "./support.ts"

Deno.test("SQLite: rows of a query in memory and streamed, and failures with their place", () =>
  inFolder(async (folder) => {
    const file = `${folder}/reviews.db`
    await Effect.runPromise(Effect.provide(Effect.andThen(fill, check), Sqlite.layer(file)))
    const readers = [Sqlite.sqlite()]
    const read = (path: string, options: Dataset.DatasetOptions) =>
      Effect.runPromise(
        Effect.result(Dataset.file(path, columns, { readers, ...options })).pipe(
          Effect.provide(NodeServices.layer),
        ),
      )
    const found = await read(file, { query: READ })
    assert(found._tag === "Success" && found.success.rows.length === 3000)
    const failureOf = async (path: string, options: Dataset.DatasetOptions) => {
      const result = await read(path, options)
      assert(result._tag === "Failure" && result.failure instanceof DataError)
      return result.failure.message
    }
    assertStringIncludes(await failureOf(file, {}), 'give a query (option query), such as "SELECT .. FROM reviews"')
    assertStringIncludes(
      await failureOf(file, { query: "SELECT body, stars FRUM reviews" }),
      'near "reviews": syntax error',
    )
    assertStringIncludes(await failureOf(file, { query: "DELETE FROM reviews" }), "readonly database")
    const late = "SELECT body, abs(CASE id WHEN 2000 THEN -9223372036854775808 ELSE stars END) AS stars FROM reviews"
    assertStringIncludes(await failureOf(file, { query: late }), "the query fails: integer overflow")
    assertStringIncludes(await failureOf(`${folder}/none.db`, { query: READ }), "none.db")
    await Deno.writeTextFile(`${folder}/no.db`, "no database")
    assertStringIncludes(await failureOf(`${folder}/no.db`, { query: READ }), "file is not a database")
  }))

/** Whether Debian's folder of the server's programs is there. */
const hasServer = (() => {
  try {
    return [...Deno.readDirSync("/usr/lib/postgresql")].length > 0
  } catch {
    return false
  }
})()

Deno.test({
  name: "PostgreSQL: rows of a query in memory and streamed, and failures with their place",
  ignore: !hasServer,
  // The driver reads the environment and opens a socket.
  fn: async () => {
    const script = new URL("./postgres.ts", import.meta.url).pathname
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", script],
      stdout: "null",
      stderr: "piped",
    }).output()
    assert(success, new TextDecoder().decode(stderr))
  },
})
