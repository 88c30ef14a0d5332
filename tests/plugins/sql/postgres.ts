/**
 * The checks of `support.ts` on a PostgreSQL server of its own, in a temporary folder.
 * @module
 */
import { PgClient } from "@effect/sql-pg"
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { check, fill, inFolder } from "./support.ts"

const [version] = [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => name).sort().reverse()

/** Runs a program of the server; as root, which the server refuses, as the user that Debian makes for it. */
const command = async (program: string, ...args: ReadonlyArray<string>) => {
  const own = [`/usr/lib/postgresql/${version}/bin/${program}`, ...args]
  const [name, ...words] = Deno.uid() === 0 ? ["runuser", "-u", "postgres", "--", ...own] : own
  const { success, stderr } = await new Deno.Command(name, { args: words, stdout: "null", stderr: "piped" }).output()
  assert(success, new TextDecoder().decode(stderr))
}

await inFolder(async (folder) => {
  await Deno.chmod(folder, 0o777)
  const place = `${folder}/data`
  await command("initdb", "-D", place, "-A", "trust", "-U", "postgres", "--no-sync")
  const options = `-c listen_addresses='' -c unix_socket_directories=${folder} -c fsync=off`
  await command("pg_ctl", "-D", place, "-w", "-o", options, "-l", `${folder}/log`, "start")
  try {
    const url = Redacted.make(`postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`)
    await Effect.runPromise(Effect.andThen(fill, check).pipe(Effect.provide(PgClient.layer({ url }))))
  } finally {
    await command("pg_ctl", "-D", place, "-m", "immediate", "stop")
  }
})
