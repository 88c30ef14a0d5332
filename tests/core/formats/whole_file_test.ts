import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import { systemError } from "effect/PlatformError"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { SafetensorsError, writeSafetensors } from "../../../core/formats/safetensors/safetensors.ts"
import { StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import {
  removeLeftovers,
  writeDirectoryWhole,
  writeFileWhole,
  writeFileWith,
} from "../../../core/formats/files/whole_file.ts"
import { failure, fullAt, inDirectory, names, run } from "./support.ts"

const source = (name: string, read: () => Float32Array | Promise<Float32Array>) => ({
  name,
  shape: [2],
  dtype: "F32" as const,
  read,
})
const two = () => new Float32Array(2)

Deno.test("a file is written, and written over", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a.txt`
    await run(writeFileWhole(path, "héllo"))
    await run(writeFileWhole(path, "two"))
    assertEquals(Deno.readTextFileSync(path), "two")
    await run(writeFileWhole(path, new Uint8Array(0)))
    assertEquals(Deno.readFileSync(path).length, 0)
    assertEquals(names(directory), ["a.txt"])
  }))

Deno.test("a failed write leaves the old file and nothing else", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a`
    await Deno.writeTextFile(path, "old")
    const error = await failure(fullAt(2, writeSafetensors(path, [source("a", two), source("b", two)])))
    assert(error instanceof StorageError)
    assertEquals([error.reason, error.path], ["NoSpace", path])
    assertStringIncludes(error.message, "no space left")
    const broken = await failure(writeSafetensors(path, [source("a", two), source("b", () => Promise.reject("gone"))]))
    assert(broken instanceof SafetensorsError && broken.reason === "Callback")
    const short = await failure(writeSafetensors(path, [source("a", () => new Float32Array(3))]))
    assertEquals(short.reason, "Shape")
    assertEquals(names(directory), ["a"])
    assertEquals(Deno.readTextFileSync(path), "old")
  }))

Deno.test("names and shapes that cannot be written are refused before a file is made", () =>
  inDirectory(async (directory) => {
    let reads = 0
    const read = () => (reads++, two())
    const writes: Array<[string, Array<number>]> = [["a", [2]], ["a", [2]]]
    for (
      const list of [writes, [["__metadata__", [2]]], [["\ud800", [2]]], [["a", [-2]]], [["a", [
        1.5,
      ]]]] as typeof writes[]
    ) {
      const tensors = list.map(([name, shape]) => ({ ...source(name, read), shape }))
      assertEquals((await failure(writeSafetensors(`${directory}/x`, tensors)))._tag, "SafetensorsError")
    }
    assertEquals([reads, names(directory)], [0, []])
  }))

Deno.test("an interrupted write leaves nothing", () =>
  inDirectory(async (directory) => {
    const before: Array<string> = []
    await run(Effect.gen(function* () {
      const started = Promise.withResolvers<void>()
      const never = () => (started.resolve(), new Promise<Float32Array>(() => {}))
      const fiber = yield* Effect.forkChild(writeSafetensors(`${directory}/x`, [source("a", two), source("b", never)]))
      yield* Effect.promise(() => started.promise)
      before.push(...names(directory))
      yield* Fiber.interrupt(fiber)
    }))
    assertEquals(before.length, 1)
    assert(/^x\.tmp-[0-9a-f]{8}$/.test(before[0]))
    assertEquals(names(directory), [])
  }))

Deno.test("a directory is built, replaced, and left alone on failure and interruption", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/run/`
    const build = (name: string) => (at: string) => writeFileWhole(`${at}/${name}`, name)
    await run(writeDirectoryWhole(path, build("one")))
    assertEquals([names(directory), names(path)], [["run"], ["one"]])
    // Nothing of a person's is deleted, unless that is said.
    const lost = await failure(writeDirectoryWhole(path, build("two")))
    assertEquals(lost.reason, "Exists")
    assertStringIncludes(lost.message, "holds other files, which would be deleted (one)")
    assertEquals([names(directory), names(path)], [["run"], ["one"]])
    await run(writeDirectoryWhole(path, build("two"), true))
    assertEquals([names(directory), names(path)], [["run"], ["two"]])
    await run(writeDirectoryWhole(`${path}/deep/er`, build("in")))
    assertEquals(names(`${path}/deep/er`), ["in"])
    await run(writeDirectoryWhole(path, build("two"), true))
    const broken = writeDirectoryWhole(path, (at) => Effect.andThen(build("three")(at), Effect.fail("broken")))
    assertEquals(await failure(broken), "broken")
    const endless = writeDirectoryWhole(path, (at) => Effect.andThen(build("three")(at), Effect.never))
    await run(Effect.timeoutOption(endless, 30))
    assertEquals([names(directory), names(path)], [["run"], ["two"]])
  }))

Deno.test("when the new directory cannot take its place, the old one comes back", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/run`
    await run(writeDirectoryWhole(path, (at) => writeFileWhole(`${at}/old`, "")))
    const blocked = Effect.gen(function* () {
      const real = yield* FileSystem.FileSystem
      const rename: FileSystem.FileSystem["rename"] = (from, to) =>
        from.includes(".tmp-") && to === path
          ? Effect.fail(systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "rename" }))
          : real.rename(from, to)
      const write = writeDirectoryWhole(path, () => Effect.void, true)
      return yield* Effect.provideService(write, FileSystem.FileSystem, { ...real, rename })
    })
    assertEquals((await failure(blocked)).reason, "Permission")
    assertEquals([names(directory), names(path)], [["run"], ["old"]])
  }))

Deno.test("what killed writers left behind is cleared", () =>
  inDirectory(async (directory) => {
    for (const name of ["a.tmp-00000000", "b.old-12345678", "c", "c.old-12345678", "d.tmp-file", "e.old"]) {
      await Deno.mkdir(`${directory}/${name}`)
      await Deno.writeTextFile(`${directory}/${name}/in`, name)
    }
    await run(removeLeftovers(directory))
    assertEquals(names(directory), ["b", "c", "d.tmp-file", "e.old"])
    assertEquals(Deno.readTextFileSync(`${directory}/b/in`), "b.old-12345678")
    assertEquals(Deno.readTextFileSync(`${directory}/c/in`), "c")
  }))

Deno.test("platform failures become storage errors", () =>
  inDirectory(async (directory) => {
    const missing = await failure(writeFileWhole(`${directory}/none/a`, "x"))
    assertEquals([missing.reason, missing.path], ["NotFound", `${directory}/none/a`])
    await Deno.writeTextFile(`${directory}/file`, "")
    assertEquals((await failure(writeFileWhole(`${directory}/file/a`, "x"))).reason, "Other")
    const exists = systemError({ _tag: "AlreadyExists", module: "FileSystem", method: "open" })
    assertEquals(toStorageError("p", "write")(exists).reason, "Exists")
    const into = writeFileWith(`${directory}/a`, (file) => file.write(new Uint8Array(3)))
    assertEquals((await failure(fullAt(1, into))).reason, "NoSpace")
  }))

Deno.test({
  name: "reading and writing need no permission but to read and write",
  permissions: { read: true, write: true },
  fn: () =>
    inDirectory(async (directory) => {
      const path = `${directory}/run`
      for (let i = 0; i < 2; i++) await run(writeDirectoryWhole(path, (at) => writeFileWhole(`${at}/a`, "")))
      assertEquals(await run(pathExists(path)), true)
      assertEquals(await run(pathExists(`${path}/none`)), false)
    }),
})

Deno.test({
  name: "a refusal by Deno is one of permission",
  permissions: { read: true, write: false },
  fn: async () => assertEquals((await failure(writeFileWhole("x", ""))).reason, "Permission"),
})

Deno.test({
  name: "a full device is told from other failures",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const program = new URL("./full_device.ts", import.meta.url).href
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "--allow-all", program] }).output()
    assertEquals(new TextDecoder().decode(stdout), "NoSpace\n")
  },
})
