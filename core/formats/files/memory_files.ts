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

const resized = (bytes: Uint8Array, length: number) => {
  const next = new Uint8Array(length)
  next.set(bytes.subarray(0, length))
  return next
}

const fail = (tag: SystemErrorTag, method: string, path: string): never => {
  throw systemError({ _tag: tag, module: "FileSystem", method, pathOrDescriptor: path })
}

/** Runs work on a path; what it throws is the effect's error. */
const act = <A>(path: string, work: (path: string) => A): Effect.Effect<A, PlatformError> =>
  Effect.try({ try: () => work(plain(path)), catch: (error) => error as PlatformError })

/** Files by path, and folders. Paths are plain; `method` is named in errors. */
class Disk {
  /** Folders that were made, for those that are empty. */
  readonly #made = new Set([""])

  constructor(readonly files: Map<string, Uint8Array>) {}

  #below(path: string): Array<string> {
    const prefix = path === "" ? "" : `${path}/`
    return [...this.files.keys(), ...this.#made].filter((other) => other !== path && other.startsWith(prefix))
  }

  isDirectory(path: string): boolean {
    return this.#made.has(path) || this.#below(path).length > 0
  }

  content(method: string, path: string): Uint8Array {
    return this.files.get(path) ?? fail(this.isDirectory(path) ? "BadResource" : "NotFound", method, path)
  }

  describe(method: string, path: string): FileSystem.File.Info {
    return this.files.has(path) || !this.isDirectory(path)
      ? info("File", this.content(method, path).length)
      : info("Directory", 0)
  }

  truncate(path: string, length = 0): void {
    this.files.set(path, resized(this.content("truncate", path), length))
  }

  makeDirectory(path: string, recursive = false): void {
    if (this.files.has(path) || (!recursive && this.isDirectory(path))) fail("AlreadyExists", "makeDirectory", path)
    this.#made.add(path)
  }

  readDirectory(path: string, recursive = false): Array<string> {
    if (!this.isDirectory(path)) fail(this.files.has(path) ? "BadResource" : "NotFound", "readDirectory", path)
    const names = this.#below(path).flatMap((inner) => {
      const parts = inner.slice(path === "" ? 0 : path.length + 1).split("/")
      return recursive ? parts.map((_, i) => parts.slice(0, i + 1).join("/")) : [parts[0]]
    })
    return [...new Set(names)]
  }

  rename(from: string, to: string): void {
    const isFile = this.files.has(from)
    if (!isFile && !this.isDirectory(from)) fail("NotFound", "rename", from)
    if (isFile ? this.isDirectory(to) : this.#below(to).length > 0) fail("AlreadyExists", "rename", to)
    for (const path of [from, ...this.#below(from)]) {
      const moved = to + path.slice(from.length)
      const bytes = this.files.get(path)
      if (bytes !== undefined) this.files.set(moved, bytes)
      if (this.#made.has(path)) this.#made.add(moved)
      if (moved === path) continue
      this.files.delete(path)
      this.#made.delete(path)
    }
  }

  remove(path: string, recursive = false, force = false): void {
    if (!force && !this.files.has(path) && !this.isDirectory(path)) fail("NotFound", "remove", path)
    if (!recursive && this.isDirectory(path)) fail("BadResource", "remove", path)
    for (const inner of [path, ...this.#below(path)]) {
      this.files.delete(inner)
      if (inner !== "") this.#made.delete(inner)
    }
  }

  open(path: string, flag: FileSystem.OpenFlag = "r"): FileSystem.File {
    if (flag.startsWith("r")) this.content("open", path)
    else if (this.isDirectory(path)) fail("BadResource", "open", path)
    else if (flag.includes("x") && this.files.has(path)) fail("AlreadyExists", "open", path)
    else if (flag.startsWith("w") || !this.files.has(path)) this.files.set(path, new Uint8Array())
    return openFile(this, path, flag.startsWith("a"))
  }
}

/** An open file. */
function openFile(disk: Disk, path: string, append: boolean): FileSystem.File {
  let cursor = 0
  const read = (buffer: Uint8Array, { position }: FileSystem.File.ReadOptions = {}) => {
    const from = position === undefined ? cursor : Number(position)
    const found = disk.content("read", path).subarray(from, from + buffer.length)
    buffer.set(found)
    if (position === undefined) cursor += found.length
    return found.length
  }
  const write = (buffer: Uint8Array) => {
    const old = disk.content("write", path)
    const at = append ? old.length : cursor
    const next = resized(old, Math.max(old.length, at + buffer.length))
    next.set(buffer, at)
    disk.files.set(path, next)
    cursor = at + buffer.length
    return buffer.length
  }
  return {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    stat: act(path, () => disk.describe("stat", path)),
    seek: (offset, from) => Effect.sync(() => BigInt(cursor = Number(offset) + (from === "start" ? 0 : cursor))),
    sync: Effect.void,
    read: (buffer, options) => act(path, () => read(buffer, options)),
    readAlloc: (size, options) =>
      act(path, () => {
        const buffer = new Uint8Array(size)
        const got = read(buffer, options)
        return got === 0 ? Option.none() : Option.some(buffer.subarray(0, got))
      }),
    truncate: (length = 0) => act(path, () => disk.truncate(path, Number(length))),
    write: (buffer) => act(path, () => write(buffer)),
    writeAll: (buffer) => act(path, () => void write(buffer)),
  }
}

/**
 * A file system over a map from paths to contents, which changes as files are written. Paths are names joined by `/`,
 * without a leading one; a folder exists as soon as it has a file.
 *
 * It supports what models, training and run folders need: no links, modes, times or watching.
 */
export function memoryFiles(files: Map<string, Uint8Array>): FileSystem.FileSystem {
  for (const [path, bytes] of [...files]) {
    files.delete(path)
    files.set(plain(path), bytes)
  }
  const disk = new Disk(files)
  const open: FileSystem.FileSystem["open"] = (path, options) => act(path, (path) => disk.open(path, options?.flag))
  return FileSystem.make({
    ...FileSystem.makeNoop({}),
    access: (path) => act(path, (path) => void disk.describe("access", path)),
    stat: (path) => act(path, (path) => disk.describe("stat", path)),
    open,
    readFile: (path) => act(path, (path) => disk.content("readFile", path).slice()),
    writeFile: (path, data) => Effect.scoped(Effect.flatMap(open(path, { flag: "w" }), (file) => file.writeAll(data))),
    copyFile: (from, to) => act(from, (from) => void files.set(plain(to), disk.content("copyFile", from).slice())),
    truncate: (path, length = 0) => act(path, (path) => disk.truncate(path, Number(length))),
    readDirectory: (path, options) => act(path, (path) => disk.readDirectory(path, options?.recursive)),
    makeDirectory: (path, options) => act(path, (path) => disk.makeDirectory(path, options?.recursive)),
    rename: (from, to) => act(from, (from) => disk.rename(from, plain(to))),
    remove: (path, options) => act(path, (path) => disk.remove(path, options?.recursive, options?.force)),
  })
}
