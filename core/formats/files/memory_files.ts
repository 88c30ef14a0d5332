/**
 * A file system in memory, for pages: fetched and dropped files go in, adapters and reports come out.
 * @module
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { type PlatformError, systemError, type SystemErrorTag } from "effect/PlatformError"

const plain = (path: string): string => path.split("/").filter((part) => part !== "" && part !== ".").join("/")

const info = (type: "File" | "Directory", size: number): FileSystem.File.Info => {
  const none = Option.none()
  const times = { mtime: none, atime: none, birthtime: none }
  const owner = { ino: none, nlink: none, uid: none, gid: none, rdev: none, blksize: none, blocks: none }
  return { type, size: ByteSize.bytes(size), dev: 0n, mode: type === "File" ? 0o644 : 0o755, ...times, ...owner }
}

/**
 * A file system over a map from paths to contents. The map is the disk: what is written stands in it. Paths are names
 * joined by `/`, without a leading one; folders are there as soon as something lies in them.
 *
 * It can do what models, training and run folders need. Links, modes, times and watching are not there.
 */
export function memoryFiles(files: Map<string, Uint8Array>): FileSystem.FileSystem {
  for (const [path, bytes] of [...files]) {
    files.delete(path)
    files.set(plain(path), bytes)
  }
  /** Folders that were made, for those in which nothing lies yet. */
  const made = new Set([""])

  const below = (path: string) => {
    const prefix = path === "" ? "" : `${path}/`
    return [...files.keys(), ...made].filter((other) => other !== path && other.startsWith(prefix))
  }
  const isDirectory = (path: string) => made.has(path) || below(path).length > 0
  const fail = (tag: SystemErrorTag, method: string, path: string): never => {
    throw systemError({ _tag: tag, module: "FileSystem", method, pathOrDescriptor: path })
  }
  const act = <A>(path: string, work: (path: string) => A): Effect.Effect<A, PlatformError> =>
    Effect.try({ try: () => work(plain(path)), catch: (error) => error as PlatformError })
  const content = (method: string, path: string): Uint8Array =>
    files.get(path) ?? fail(isDirectory(path) ? "BadResource" : "NotFound", method, path)
  const resized = (bytes: Uint8Array, length: number) => {
    const next = new Uint8Array(length)
    next.set(bytes.subarray(0, length))
    return next
  }
  const describe = (method: string, path: string) =>
    files.has(path) || !isDirectory(path) ? info("File", content(method, path).length) : info("Directory", 0)
  const truncate = (path: string, length = 0) =>
    void files.set(path, resized(content("truncate", path), Number(length)))

  const handle = (path: string, append: boolean): FileSystem.File => {
    let cursor = 0
    const read = (buffer: Uint8Array, { position }: FileSystem.File.ReadOptions = {}) => {
      const from = position === undefined ? cursor : Number(position)
      const found = content("read", path).subarray(from, from + buffer.length)
      buffer.set(found)
      if (position === undefined) cursor += found.length
      return found.length
    }
    const write = (buffer: Uint8Array) => {
      const old = content("write", path)
      const at = append ? old.length : cursor
      const next = resized(old, Math.max(old.length, at + buffer.length))
      next.set(buffer, at)
      files.set(path, next)
      cursor = at + buffer.length
      return buffer.length
    }
    return {
      [FileSystem.FileTypeId]: FileSystem.FileTypeId,
      stat: act(path, () => describe("stat", path)),
      seek: (offset, from) => Effect.sync(() => BigInt(cursor = Number(offset) + (from === "start" ? 0 : cursor))),
      sync: Effect.void,
      read: (buffer, options) => act(path, () => read(buffer, options)),
      readAlloc: (size, options) =>
        act(path, () => {
          const buffer = new Uint8Array(size)
          const got = read(buffer, options)
          return got === 0 ? Option.none() : Option.some(buffer.subarray(0, got))
        }),
      truncate: (length) => act(path, () => truncate(path, length)),
      write: (buffer) => act(path, () => write(buffer)),
      writeAll: (buffer) => act(path, () => void write(buffer)),
    }
  }

  const open: FileSystem.FileSystem["open"] = (path, { flag = "r" } = {}) =>
    act(path, (path) => {
      if (flag.startsWith("r")) content("open", path)
      else if (isDirectory(path)) fail("BadResource", "open", path)
      else if (flag.includes("x") && files.has(path)) fail("AlreadyExists", "open", path)
      else if (flag.startsWith("w") || !files.has(path)) files.set(path, new Uint8Array())
      return handle(path, flag.startsWith("a"))
    })
  const readDirectory: FileSystem.FileSystem["readDirectory"] = (path, { recursive = false } = {}) =>
    act(path, (path) => {
      if (!isDirectory(path)) fail(files.has(path) ? "BadResource" : "NotFound", "readDirectory", path)
      const names = below(path).flatMap((inner) => {
        const parts = inner.slice(path === "" ? 0 : path.length + 1).split("/")
        return recursive ? parts.map((_, i) => parts.slice(0, i + 1).join("/")) : [parts[0]]
      })
      return [...new Set(names)]
    })
  const rename: FileSystem.FileSystem["rename"] = (from, to) =>
    act(from, (from) => {
      const target = plain(to)
      if (!files.has(from) && !isDirectory(from)) fail("NotFound", "rename", from)
      if (files.has(from) ? isDirectory(target) : below(target).length > 0) fail("AlreadyExists", "rename", target)
      for (const path of [from, ...below(from)]) {
        const moved = target + path.slice(from.length)
        const bytes = files.get(path)
        if (bytes !== undefined) files.set(moved, bytes)
        if (made.has(path)) made.add(moved)
        if (moved === path) continue
        files.delete(path)
        made.delete(path)
      }
    })
  const remove: FileSystem.FileSystem["remove"] = (path, { recursive = false, force = false } = {}) =>
    act(path, (path) => {
      if (!force && !files.has(path) && !isDirectory(path)) fail("NotFound", "remove", path)
      if (!recursive && isDirectory(path)) fail("BadResource", "remove", path)
      for (const inner of [path, ...below(path)]) {
        files.delete(inner)
        if (inner !== "") made.delete(inner)
      }
    })

  return FileSystem.make({
    ...FileSystem.makeNoop({}),
    access: (path) => act(path, (path) => void describe("access", path)),
    stat: (path) => act(path, (path) => describe("stat", path)),
    open,
    readFile: (path) => act(path, (path) => content("readFile", path).slice()),
    writeFile: (path, data) => Effect.scoped(Effect.flatMap(open(path, { flag: "w" }), (file) => file.writeAll(data))),
    copyFile: (from, to) => act(from, (from) => void files.set(plain(to), content("copyFile", from).slice())),
    truncate: (path, length) => act(path, (path) => truncate(path, length)),
    readDirectory,
    makeDirectory: (path, { recursive = false } = {}) =>
      act(path, (path) => {
        if (files.has(path) || (!recursive && isDirectory(path))) fail("AlreadyExists", "makeDirectory", path)
        made.add(path)
      }),
    rename,
    remove,
  })
}
