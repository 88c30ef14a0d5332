import type { DatabaseSync, StatementSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { Scope } from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { DataError } from "../../core/data/data_error.ts"

/** How a database is opened. */
export interface SqliteOptions {
  /** Whether it cannot be changed, and must exist. Default false: it is made where it does not. */
  readonly readOnly?: boolean
}

type Bound = null | number | bigint | string | Uint8Array

const bound = (parameters: ReadonlyArray<unknown>): Array<Bound> =>
  parameters.map((value) =>
    value instanceof Date ? value.toISOString() : typeof value === "boolean" ? Number(value) : value as Bound ?? null
  )

const open = (file: string, { readOnly = false }: SqliteOptions): Effect.Effect<DatabaseSync, DataError, Scope> => {
  const fail = (message: string) => (cause: unknown) => new DataError({ reason: "Unreadable", message, cause })
  return Effect.gen(function* () {
    const { DatabaseSync } = yield* Effect.tryPromise({
      try: () => import("node:sqlite"),
      catch: fail(`${file}: SQLite needs a runtime with node:sqlite: Deno, or Node from 22.5 on`),
    })
    return yield* Effect.acquireRelease(
      Effect.try({
        try: () => new DatabaseSync(file, { readOnly }),
        catch: (cause) => fail(`${file} cannot be opened as an SQLite database: ${(cause as Error).message}`)(cause),
      }),
      (database) => Effect.sync(() => database.close()),
    )
  })
}

/** A client of a database file, which is open as long as the scope is. Whole numbers are bigints where they are large. */
export const client = (
  file: string,
  options: SqliteOptions = {},
): Effect.Effect<SqlClient.SqlClient, DataError, Scope> =>
  Effect.gen(function* () {
    const database = yield* open(file, options)
    const attempt = <A>(run: () => A): Effect.Effect<A, SqlError> => Effect.try({ try: run, catch: failed })
    const prepared = (sql: string) => {
      const statement = database.prepare(sql)
      // Without this, a number beyond 2^53 is an error.
      statement.setReadBigInts(true)
      return statement
    }
    const rows = (sql: string, parameters: ReadonlyArray<unknown>) =>
      attempt(() => prepared(sql).all(...bound(parameters)).map(plain))
    const values = (sql: string, parameters: ReadonlyArray<unknown>) =>
      Effect.map(rows(sql, parameters), (all) => all.map(Object.values))
    const execute: Connection["execute"] = (sql, parameters, transform) =>
      Effect.map(rows(sql, parameters), (all) => transform?.(all) ?? all)
    const connection: Connection = {
      execute,
      executeUnprepared: execute,
      executeRaw: (sql, parameters) => attempt(() => prepared(sql).run(...bound(parameters))),
      executeValues: values,
      executeValuesUnprepared: values,
      executeStream: (sql, parameters, transform) =>
        Stream.flattenIterable(
          Stream.suspend(() => Stream.fromAsyncIterable(parts(prepared, sql, bound(parameters), transform), failed)),
        ),
    }
    const semaphore = yield* Semaphore.make(1)
    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({ connection: Effect.succeed(connection), semaphore }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "node:sqlite",
      spanAttributes: [["db.system.name", "sqlite"]],
    }).pipe(Effect.provide(Reactivity.layer))
  })

const failed = (cause: unknown): SqlError =>
  new SqlError({ reason: classifySqliteError(cause, { message: (cause as Error).message }) })

type Values = Readonly<Record<string, unknown>>

/** A row with numbers where they lose nothing. */
const plain = (row: Values): Values =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) =>
      [name, typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value] as const
    ),
  )

/** Rows that are taken together from the database. */
const PART = 256

/** The rows of a statement in parts. Throws what SQLite does. */
async function* parts(
  prepared: (sql: string) => StatementSync,
  statement: string,
  parameters: ReadonlyArray<Bound>,
  transform: Parameters<Connection["executeStream"]>[2] = (rows) => rows,
): AsyncGenerator<ReadonlyArray<Values>> {
  const query = `(${statement.replace(/;\s*$/, "")}\n)`
  const count = countOf(prepared, query, parameters)
  if (count === undefined) {
    yield transform(prepared(statement).all(...parameters).map(plain))
    return
  }
  let read = 0
  let part: Array<Values> = []
  for (const row of prepared(statement).iterate(...parameters)) {
    read++
    part.push(plain(row))
    if (part.length < PART) continue
    yield transform(part)
    part = []
  }
  if (part.length > 0) yield transform(part)
  if (read >= count) return
  // Deno's `iterate` ends without an error where SQLite has one; `all` throws it.
  prepared(`SELECT * FROM ${query} LIMIT 1 OFFSET ${read}`).all(...parameters)
  throw new Error(`the query ended after ${read} of ${count} rows`)
}

/** The number of rows of a query; undefined for a statement that is none. */
const countOf = (
  prepared: (sql: string) => StatementSync,
  query: string,
  parameters: ReadonlyArray<Bound>,
): number | undefined => {
  try {
    return Number(prepared(`SELECT count(*) AS count FROM ${query}`).get(...parameters)?.count)
  } catch {
    return undefined
  }
}

/** Effect's `SqlClient` for a database file, by `node:sqlite`. Fails with DataError `Unreadable`. */
export const layer = (file: string, options: SqliteOptions = {}): Layer.Layer<SqlClient.SqlClient, DataError> =>
  Layer.effect(SqlClient.SqlClient, client(file, options))
