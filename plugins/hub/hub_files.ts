/**
 * A file system in which names of a hub are paths: `hf:owner/name` is a folder whose files are fetched when they are opened.
 * All that reads models, tokenizers, adapters and templates by a path takes such names through it.
 * @module
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { type PlatformError, systemError, type SystemErrorTag } from "effect/PlatformError"
import { attempt } from "../../core/contracts/attempt.ts"
import { HubError } from "./hub_error.ts"
import { type HubName, isHubName, parseHubName } from "./hub_name.ts"
import type { Snapshot } from "./snapshot.ts"

/** A name's snapshot, and its path within it. */
interface Found {
  readonly snapshot: Snapshot
  readonly path: string
}

const failure = (
  tag: SystemErrorTag,
  method: string,
  path: string,
  description: string,
  cause?: unknown,
): PlatformError => systemError({ _tag: tag, module: "Hub", method, pathOrDescriptor: path, description, cause })

/** Only what is surely not there counts as absent: files of a listed repository. */
const toPlatform = (method: string, path: string) => (error: HubError): PlatformError =>
  failure(error.reason === "Access" ? "PermissionDenied" : "Unknown", method, path, error.message, error)

const infoOf = (type: "File" | "Directory", size: number): FileSystem.File.Info => {
  const none = Option.none()
  const times = { mtime: none, atime: none, birthtime: none }
  const owner = { ino: none, nlink: none, uid: none, gid: none, rdev: none, blksize: none, blocks: none }
  return { type, size: ByteSize.bytes(size), dev: 0n, mode: type === "File" ? 0o444 : 0o555, ...times, ...owner }
}

/** Names below a folder of a snapshot. */
function namesBelow({ snapshot, path }: Found, recursive: boolean): ReadonlyArray<string> {
  const prefix = path === "" ? "" : `${path}/`
  const below = [...snapshot.files.keys()].filter((file) => file.startsWith(prefix)).map((file) =>
    file.slice(prefix.length)
  )
  const names = below.flatMap((file) => {
    const parts = file.split("/")
    return recursive ? parts.map((_, i) => parts.slice(0, i + 1).join("/")) : [parts[0]]
  })
  return [...new Set(names)]
}

/** The given file system, with names of a hub beside its own paths. They are for reading. */
export function hubFiles(
  inner: FileSystem.FileSystem,
  snapshotOf: (name: HubName) => Effect.Effect<Snapshot, HubError>,
): FileSystem.FileSystem {
  const find = (method: string, text: string): Effect.Effect<Found, PlatformError> =>
    Effect.gen(function* () {
      const name = yield* attempt(() => parseHubName(text), HubError)
      return { snapshot: yield* snapshotOf(name), path: name.path }
    }).pipe(Effect.mapError(toPlatform(method, text)))

  /** Describes a name without fetching it. */
  const stat = (method: string, text: string): Effect.Effect<FileSystem.File.Info, PlatformError> =>
    Effect.flatMap(find(method, text), (found) => {
      const size = found.snapshot.files.get(found.path)
      if (size !== undefined) return Effect.succeed(infoOf("File", size))
      if (found.path === "" || namesBelow(found, false).length > 0) return Effect.succeed(infoOf("Directory", 0))
      return Effect.fail(failure("NotFound", method, text, `no such file at ${found.snapshot.commit}`))
    })

  const list = (text: string, recursive = false): Effect.Effect<Array<string>, PlatformError> =>
    Effect.flatMap(
      Effect.all([stat("readDirectory", text), find("readDirectory", text)]),
      ([{ type }, found]) =>
        type === "Directory"
          ? Effect.succeed([...namesBelow(found, recursive)])
          : Effect.fail(failure("BadResource", "readDirectory", text, "it is a file")),
    )

  /** The path on this machine of a file; names of a hub are fetched. */
  const local = (method: string, path: string): Effect.Effect<string, PlatformError> =>
    !isHubName(path) ? Effect.succeed(path) : Effect.gen(function* () {
      const { type } = yield* stat(method, path)
      if (type !== "File") return yield* Effect.fail(failure("BadResource", method, path, "it is a folder"))
      const found = yield* find(method, path)
      return yield* found.snapshot.local(found.path).pipe(Effect.mapError(toPlatform(method, path)))
    })

  /** A method whose first path is read. */
  const reads = <Rest extends ReadonlyArray<unknown>, A, R>(
    method: string,
    run: (path: string, ...rest: Rest) => Effect.Effect<A, PlatformError, R>,
  ) =>
  (path: string, ...rest: Rest): Effect.Effect<A, PlatformError, R> =>
    Effect.flatMap(local(method, path), (path) => run(path, ...rest))

  /** A method that changes what lies under its paths. */
  const writes = <Given extends ReadonlyArray<unknown>, A, R>(
    method: string,
    run: (...given: Given) => Effect.Effect<A, PlatformError, R>,
  ) =>
  (...given: Given): Effect.Effect<A, PlatformError, R> => {
    const name = given.find((one) => typeof one === "string" && isHubName(one)) as string | undefined
    if (name === undefined) return run(...given)
    const what = "a hub's files are not written by path: write a folder, then upload it"
    return Effect.fail(failure("PermissionDenied", method, name, what))
  }

  const copyTo = <Rest extends ReadonlyArray<unknown>>(
    method: string,
    copy: (from: string, to: string, ...rest: Rest) => Effect.Effect<void, PlatformError>,
  ) =>
  (from: string, to: string, ...rest: Rest): Effect.Effect<void, PlatformError> =>
    Effect.flatMap(local(method, from), (from) => writes(method, copy)(from, to, ...rest))

  return FileSystem.make({
    ...inner,
    access: (path, options) => isHubName(path) ? Effect.asVoid(stat("access", path)) : inner.access(path, options),
    stat: (path) => isHubName(path) ? stat("stat", path) : inner.stat(path),
    lstat: (path) => isHubName(path) ? stat("lstat", path) : inner.lstat(path),
    readDirectory: (path, options) =>
      isHubName(path) ? list(path, options?.recursive) : inner.readDirectory(path, options),
    readFile: reads("readFile", inner.readFile),
    realPath: reads("realPath", inner.realPath),
    open: (path, options) =>
      options?.flag === undefined || options.flag === "r"
        ? reads("open", inner.open)(path, options)
        : writes("open", inner.open)(path, options),
    copy: copyTo("copy", inner.copy),
    copyFile: copyTo("copyFile", inner.copyFile),
    chmod: writes("chmod", inner.chmod),
    chown: writes("chown", inner.chown),
    link: writes("link", inner.link),
    makeDirectory: writes("makeDirectory", inner.makeDirectory),
    remove: writes("remove", inner.remove),
    rename: writes("rename", inner.rename),
    symlink: writes("symlink", inner.symlink),
    truncate: writes("truncate", inner.truncate),
    utimes: writes("utimes", inner.utimes),
    writeFile: writes("writeFile", inner.writeFile),
  })
}
