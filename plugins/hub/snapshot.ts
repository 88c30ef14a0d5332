/**
 * A repository at a commit: what it holds, and its files on this machine, each fetched when it is asked for.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { writeFileWhole } from "../../core/formats/files/whole_file.ts"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import { toStorageError } from "../../core/formats/files/storage_error.ts"
import { download } from "./cache/download.ts"
import { isCommit, type Layout, layoutOf } from "./cache/layout.ts"
import { linkBlob } from "./cache/link.ts"
import { withLock } from "./cache/lock.ts"
import { HubError } from "./hub_error.ts"
import { type HubName, hubNameText } from "./hub_name.ts"
import { addressOf, type Listing, listingOf } from "./requests/listing.ts"
import type { Requests } from "./requests/requests.ts"
import type { Settings } from "./settings.ts"

/** A repository at a commit. */
export interface Snapshot {
  readonly commit: string
  /** Its folder in the cache. */
  readonly folder: string
  /** Bytes of its files by path: of all on the hub, or of those in the cache. */
  readonly files: ReadonlyMap<string, number>
  /** The path on this machine of one of `files`; it is fetched if it is not in the cache. */
  readonly local: (path: string) => Effect.Effect<string, HubError>
}

/** What snapshots are made with. */
export interface Hub {
  readonly settings: Settings
  readonly requests: Requests
  readonly fs: FileSystem.FileSystem
}

/** The snapshot of a name, from the hub; from the cache where the hub may not be asked, or cannot be reached. */
export function snapshotOf(asked: HubName, hub: Hub): Effect.Effect<Snapshot, HubError> {
  const layout = layoutOf(hub.settings.cache, asked.repository)
  const cached = cachedSnapshot(asked, layout, hub)
  if (hub.settings.offline) {
    return Effect.flatMap(cached, (found) => found === undefined ? notCached(asked, hub) : Effect.succeed(found))
  }
  return listingOf(asked, hub.requests).pipe(
    Effect.flatMap((listing) => remoteSnapshot(asked, listing, layout, hub)),
    Effect.catch((error) =>
      error.reason !== "Network"
        ? Effect.fail(error)
        : Effect.flatMap(cached, (found) => found === undefined ? Effect.fail(error) : Effect.succeed(found))
    ),
  )
}

function notCached(asked: HubName, { settings: { cache } }: Hub): Effect.Effect<never, HubError> {
  const text = hubNameText({ ...asked, path: "" })
  const message =
    `${text} is not in the cache ${cache}, and the hub may not be asked (HF_HUB_OFFLINE): fetch it once without`
  return Effect.fail(new HubError({ reason: "Offline", asked: text, message }))
}

/** Failures of the cache's files as those of the hub. */
function inCache(asked: string, cache: string): (error: HubError | StorageError) => HubError {
  return (error) => {
    if (error._tag === "HubError") return error
    const [reason, advice] = error.reason === "NoSpace"
      ? ["NoSpace", `free some of the disk of ${cache}, or set HF_HOME to a folder on another`] as const
      : ["Cache", `the cache is ${cache}; HF_HOME or HF_HUB_CACHE names another folder`] as const
    return new HubError({ reason, asked, message: `${asked}: ${error.message}; ${advice}`, cause: error })
  }
}

/** A snapshot whose files the hub has. */
function remoteSnapshot(
  asked: HubName,
  { commit, files }: Listing,
  layout: Layout,
  hub: Hub,
): Effect.Effect<Snapshot, HubError> {
  const { fs, settings: { cache } } = hub
  const folder = layout.snapshot(commit)
  const local = (path: string): Effect.Effect<string, HubError> => {
    const name = { ...asked, path }
    return fetchFile(name, { commit, files }, layout, hub).pipe(Effect.mapError(inCache(hubNameText(name), cache)))
  }
  const snapshot = { commit, folder, local, files: new Map([...files].map(([path, { size }]) => [path, size])) }
  if (isCommit(asked.revision)) return Effect.succeed(snapshot)
  return rememberRevision(layout.ref(asked.revision), commit, fs).pipe(
    Effect.mapError(inCache(hubNameText(asked), cache)),
    Effect.as(snapshot),
  )
}

/** Notes the commit of a branch or tag, for use without the hub. */
function rememberRevision(ref: string, commit: string, fs: FileSystem.FileSystem): Effect.Effect<void, StorageError> {
  return Effect.gen(function* () {
    const known = yield* Effect.orElseSucceed(fs.readFileString(ref), () => "")
    if (known === commit) return
    yield* makeParent(ref, fs)
    yield* writeFileWhole(ref, commit)
  }).pipe(Effect.provideService(fileSystem, fs))
}

function makeParent(path: string, fs: FileSystem.FileSystem): Effect.Effect<void, StorageError> {
  const folder = path.slice(0, path.lastIndexOf("/"))
  return fs.makeDirectory(folder, { recursive: true }).pipe(Effect.mapError(toStorageError(folder, "make")))
}

/** Fetches a file unless it is there; of several processes one does. */
function fetchFile(
  name: HubName,
  { commit, files }: Listing,
  layout: Layout,
  { fs, requests, settings }: Hub,
): Effect.Effect<string, HubError | StorageError> {
  return Effect.gen(function* () {
    const file = files.get(name.path)!
    const { size, oid } = file
    const pointer = `${layout.snapshot(commit)}/${name.path}`
    const has = (path: string) =>
      fs.stat(path).pipe(
        Effect.map((info) => info.type === "File" && Number(info.size) === size),
        Effect.orElseSucceed(() => false),
      )
    if (yield* has(pointer)) return pointer
    const asked = hubNameText(name)
    const blob = layout.blob(oid)
    for (const path of [blob, pointer, layout.lock(oid)]) yield* makeParent(path, fs)
    const request = (offset: number) =>
      requests.ask(name, (signal) =>
        requests.library.fetch(addressOf(name, commit, requests), {
          signal,
          headers: { "accept-encoding": "identity", ...offset === 0 ? {} : { range: `bytes=${offset}-` } },
        }))
    const observe = (received: number) => settings.observe({ file: asked, received, size })
    const fetchAndLink = Effect.gen(function* () {
      if (yield* has(pointer)) return
      if (!(yield* has(blob))) yield* download(blob, fs, { asked, file, request, observe })
      yield* linkBlob(blob, pointer, name.path, fs).pipe(Effect.mapError(toStorageError(pointer, "write")))
    })
    yield* withLock(layout.lock(oid), fs, fetchAndLink)
    return pointer
  })
}

/** What the cache has of a name. */
function cachedSnapshot(
  asked: HubName,
  layout: Layout,
  { fs }: Hub,
): Effect.Effect<Snapshot | undefined> {
  return Effect.gen(function* () {
    const { revision } = asked
    const commit = isCommit(revision) ? revision : (yield* fs.readFileString(layout.ref(revision))).trim()
    if (!isCommit(commit)) return undefined
    const folder = layout.snapshot(commit)
    const files = new Map<string, number>()
    for (const path of yield* fs.readDirectory(folder, { recursive: true })) {
      const info = yield* Effect.option(fs.stat(`${folder}/${path}`))
      if (info._tag === "Some" && info.value.type === "File") {
        files.set(path.replaceAll("\\", "/"), Number(info.value.size))
      }
    }
    return { commit, folder, files, local: (path: string) => Effect.succeed(`${folder}/${path}`) }
  }).pipe(Effect.orElseSucceed(() => undefined))
}
