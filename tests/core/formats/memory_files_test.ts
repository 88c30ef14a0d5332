import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import { memoryFiles } from "../../../core/formats/files/memory_files.ts"
import { removeLeftovers, writeDirectoryWhole, writeFileWhole } from "../../../core/formats/files/whole_file.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** Runs on a memory file system over `files`; gives the result, or the failure's kind. */
const on = <A, E extends { readonly reason: unknown }>(
  files: Map<string, Uint8Array>,
  effect: Effect.Effect<A, E, FileSystem.FileSystem>,
) =>
  Effect.runPromise(effect.pipe(
    Effect.catch(({ reason }) => Effect.succeed(`${(reason as { readonly _tag?: string })._tag ?? reason}`)),
    Effect.provideService(FileSystem.FileSystem, memoryFiles(files)),
  ))
const use = <A, E extends { readonly reason: unknown }>(
  files: Map<string, Uint8Array>,
  work: (fs: FileSystem.FileSystem) => Effect.Effect<A, E>,
) => on(files, Effect.flatMap(FileSystem.FileSystem, work))

Deno.test("files in memory are read and written under any spelling of their path", async () => {
  const files = new Map([["./model/config.json", bytes("{}")]])
  assertEquals(await use(files, (fs) => fs.readFileString("/model//config.json")), "{}")
  assertEquals(await use(files, (fs) => fs.exists("model")), true)
  assertEquals(await use(files, (fs) => fs.exists("mode")), false)
  assertEquals(await use(files, (fs) => Effect.map(fs.stat("model"), ({ type }) => type)), "Directory")
  assertEquals(await use(files, (fs) => Effect.map(fs.stat("model/config.json"), ({ size }) => Number(size))), 2)
  await on(files, writeFileWhole("out/a.txt", "abc"))
  assertEquals([...files.keys()], ["model/config.json", "out/a.txt"])
  assertEquals(files.get("out/a.txt"), bytes("abc"))
  assertEquals(await use(files, (fs) => fs.readFile("none")), "NotFound")
  assertEquals(await use(files, (fs) => fs.readFile("model")), "BadResource")
})

Deno.test("a file in memory is read from any place, appended to and cut", async () => {
  const files = new Map([["a", bytes("0123456789")]])
  const piece = await use(files, (fs) =>
    Effect.scoped(Effect.gen(function* () {
      const file = yield* fs.open("a")
      const buffer = new Uint8Array(4)
      yield* file.read(buffer)
      const first = new TextDecoder().decode(buffer)
      yield* file.read(buffer, { position: 8n })
      return [first, new TextDecoder().decode(buffer), yield* file.read(buffer, { position: 10n })]
    })))
  assertEquals(piece, ["0123", "8923", 0])
  await use(files, (fs) =>
    Effect.scoped(Effect.gen(function* () {
      yield* fs.truncate("a", 3)
      const file = yield* fs.open("a", { flag: "a" })
      yield* file.writeAll(bytes("x"))
      yield* file.writeAll(bytes("yz"))
    })))
  assertEquals(files.get("a"), bytes("012xyz"))
  assertEquals(await use(files, (fs) => Effect.scoped(fs.open("a", { flag: "wx" }))), "AlreadyExists")
})

Deno.test("folders in memory appear whole, are listed, moved and removed", async () => {
  const files = new Map([["run/old", bytes("1")], ["run/checkpoints.tmp-01234567/x", bytes("2")]])
  const build = (name: string) =>
    writeDirectoryWhole("run", (temporary) => writeFileWhole(`${temporary}/deep/${name}`, name), true)
  await on(files, removeLeftovers("run"))
  assertEquals([...files.keys()], ["run/old"])
  await on(files, build("new"))
  assertEquals([...files.keys()], ["run/deep/new"])
  await use(files, (fs) => fs.makeDirectory("run/empty"))
  const list = (recursive: boolean) => use(files, (fs) => fs.readDirectory("run", { recursive }))
  assertEquals(await list(false), ["deep"])
  assertEquals(await list(true), ["deep", "deep/new"])
  const one = await use(files, (fs) =>
    Effect.gen(function* () {
      yield* fs.makeDirectory("run/empty")
      const again = yield* Effect.isSuccess(fs.makeDirectory("run/empty"))
      yield* fs.rename("run", "other")
      return [again, ...yield* fs.readDirectory("other"), yield* fs.exists("run")]
    }))
  assertEquals(one, [false, "deep", "empty", false])
  assertEquals(await use(files, (fs) => fs.remove("other")), "BadResource")
  await use(files, (fs) => fs.remove("other", { recursive: true }))
  assertEquals(files.size, 0)
  assertEquals(await use(files, (fs) => fs.remove("other")), "NotFound")
})

Deno.test("the light key of the file system is Effect's own", async () => {
  const files = memoryFiles(new Map())
  const read = Effect.provideService(Effect.service(fileSystem), FileSystem.FileSystem, files)
  assertEquals(await Effect.runPromise(read), files)
})
