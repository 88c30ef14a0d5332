import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { systemError } from "effect/PlatformError"
import { withLockFile } from "../../../plugins/hub/cache/lock.ts"
import { sha256 } from "../../support/hub_server.ts"
import { bytes, download, filesBelow, withHub } from "./support.ts"

const weights = bytes(300_000)

/** The machine's files, of which some methods are changed. */
const files = (change: (fs: FileSystem.FileSystem) => Partial<FileSystem.FileSystem>) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => ({ ...fs, ...change(fs) })),
  ).pipe(Layer.provide(NodeFileSystem.layer))

const failure = (method: string, path: string, code: string) =>
  Effect.fail(
    systemError({
      _tag: code === "EACCES" ? "PermissionDenied" : "Unknown",
      module: "FileSystem",
      method,
      pathOrDescriptor: path,
      cause: Object.assign(new Error(code), { code }),
    }),
  )

Deno.test(
  "a full disk is told with the cache's folder; when there is room the download goes on",
  withHub(async ({ server, cache, failure: failed, run }) => {
    server.commit("o/n", { "model.safetensors": weights })
    let room = 100_000
    const small = files((fs) => ({
      open: (path, options) =>
        Effect.map(fs.open(path, options), (file) => {
          const writeAll = file.writeAll.bind(file)
          const value = (piece: Uint8Array) => {
            room -= piece.length
            return room < 0 ? failure("write", path, "ENOSPC") : writeAll(piece)
          }
          return Object.defineProperty(file, "writeAll", { value })
        }),
    }))
    const error = await failed(download("hf:o/n/model.safetensors"), {}, small)
    assertEquals(error.reason, "NoSpace")
    assertStringIncludes(error.message, "no space left on the device")
    assertStringIncludes(error.message, `free some of the disk of ${cache}, or set HF_HOME to a folder on another`)
    const blobs = `${cache}/models--o--n/blobs`
    assertEquals(filesBelow(blobs), [`${sha256(weights)}.incomplete`])
    assertEquals(await Deno.readFile(await run(download("hf:o/n/model.safetensors"))), weights)
    assert(Number(/\d+/.exec(server.seen.at(-1)!.range!)![0]) > 0)
  }),
)

Deno.test(
  "a cache that may not be written is told before anything comes",
  withHub(async ({ server, cache, failure: failed }) => {
    server.commit("o/n", { "model.safetensors": weights })
    const locked = files(() => ({ makeDirectory: (path) => failure("makeDirectory", path, "EACCES") }))
    const error = await failed(download("hf:o/n/model.safetensors"), {}, locked)
    assertEquals(error.reason, "Cache")
    assertStringIncludes(error.message, `the cache is ${cache}; HF_HOME or HF_HUB_CACHE names another folder`)
    assertEquals(server.seen.filter(({ path }) => path.includes("/resolve/")), [])
  }),
)

Deno.test(
  "where links are refused, a snapshot holds a copy, which serves as well",
  withHub(async ({ server, cache, run }) => {
    server.commit("o/n", { "sub/config.json": "{}" })
    const plain = files(() => ({
      symlink: (_, path) => failure("symlink", path, "EPERM"),
      link: (_, path) => failure("link", path, "EPERM"),
    }))
    const path = await run(download("hf:o/n/sub/config.json"), {}, plain)
    const { isSymlink, nlink } = await Deno.lstat(path)
    assertEquals([isSymlink, nlink, await Deno.readTextFile(path)], [false, 1, "{}"])
    assertEquals(await run(download("hf:o/n/sub/config.json"), { offline: true }), path)
    assert(filesBelow(cache).includes(path.slice(cache.length + 1)))
  }),
)

Deno.test("a lock file keeps others out, and one whose holder was killed does not", async () => {
  const path = `${await Deno.makeTempDir()}/a.lock`
  let inside = 0, most = 0
  const work = Effect.gen(function* () {
    most = Math.max(most, ++inside)
    yield* Effect.sleep("50 millis")
    inside--
  })
  const fs = await Effect.runPromise(Effect.provide(FileSystem.FileSystem, NodeFileSystem.layer))
  const both = Effect.all([1, 2, 3].map(() => withLockFile(path, fs, work)), { concurrency: "unbounded" })
  await Effect.runPromise(both)
  assertEquals([most, inside], [1, 0])
  await Deno.writeTextFile(path, "")
  const before = new Date(Date.now() - 60_000)
  await Deno.utime(path, before, before)
  await Effect.runPromise(withLockFile(path, fs, work))
  await Deno.remove(path.slice(0, path.lastIndexOf("/")), { recursive: true })
})
