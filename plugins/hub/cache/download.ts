/**
 * Downloading a file: into `OID.incomplete`, on from where an earlier attempt ended, with length and digest checked before it
 * takes its place.
 * @module
 */
import type { Hash } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { readFully } from "../../../core/formats/files/read_fully.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { HubError } from "../hub_error.ts"
import { digestFor, type RemoteFile } from "./digest.ts"

/** What is downloaded, and how. */
export interface Download {
  /** Its name, for messages. */
  readonly asked: string
  readonly file: RemoteFile
  /** Requests the bytes from an offset on. */
  readonly request: (offset: number) => Effect.Effect<Response, HubError>
  readonly observe: (received: number) => void
}

/** Attempts to go on after a connection broke. */
const ATTEMPTS = 5
const PIECE = 1 << 20

/** Fetches a file into `path`, in whose folder it also lies while it comes. */
export function download(
  path: string,
  fs: FileSystem.FileSystem,
  given: Download,
): Effect.Effect<void, HubError | StorageError> {
  const incomplete = `${path}.incomplete`
  const fill = Effect.scoped(Effect.gen(function* () {
    const target = yield* openTarget(incomplete, fs, given)
    const began = target.received
    for (let attempt = 1; target.received < given.file.size; attempt++) {
      const problem = yield* receive(target, given)
      if (problem !== undefined && attempt === ATTEMPTS) return yield* brokenOff(given, target.received, problem)
    }
    if (target.digest.copy().digest("hex") === given.file.oid) return true
    // The fault may lie in bytes that were there before.
    if (began > 0) return false
    return yield* broken(given, `its ${given.file.oid.length === 64 ? "SHA-256" : "git SHA-1"} is another`)
  }))
  const remove = Effect.ignore(fs.remove(incomplete, { force: true }))
  return Effect.gen(function* () {
    const isRight = yield* fill
    if (!isRight) {
      yield* remove
      yield* fill
    }
    yield* fs.rename(incomplete, path).pipe(Effect.mapError(toStorageError(path, "write")))
  }).pipe(Effect.tapError((error) => error._tag === "HubError" && error.reason === "Broken" ? remove : Effect.void))
}

/** A file that is being filled. */
interface Target {
  received: number
  digest: Hash
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, StorageError>
  /** Begins again with an empty file. */
  readonly restart: Effect.Effect<void, StorageError>
}

/** Opens the incomplete file; what it holds goes through the digest. */
function openTarget(
  path: string,
  fs: FileSystem.FileSystem,
  { file: remote }: Download,
): Effect.Effect<Target, StorageError, Scope.Scope> {
  return Effect.gen(function* () {
    const failed = toStorageError(path, "write")
    const file = yield* fs.open(path, { flag: "a+" }).pipe(Effect.mapError(failed))
    const target: Target = {
      received: Number((yield* file.stat.pipe(Effect.mapError(failed))).size),
      digest: digestFor(remote),
      // Not interruptible: a descriptor closed under a write in flight may already belong to another file.
      append: (bytes) => Effect.uninterruptible(file.writeAll(bytes)).pipe(Effect.mapError(failed)),
      restart: Effect.suspend(() => {
        target.received = 0
        target.digest = digestFor(remote)
        return file.truncate(0).pipe(Effect.mapError(failed))
      }),
    }
    if (target.received > remote.size) yield* target.restart
    for (let at = 0; at < target.received;) {
      const bytes = new Uint8Array(Math.min(PIECE, target.received - at))
      at += yield* readFully(file, bytes, at, path)
      target.digest.update(bytes)
    }
    return target
  })
}

/** Takes in what one answer holds; gives why it ended early, if it did. */
function receive(target: Target, given: Download): Effect.Effect<string | undefined, HubError | StorageError> {
  const { file: { size }, request, observe } = given
  return Effect.gen(function* () {
    const response = yield* request(target.received)
    const start = Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? 0)
    const isPart = response.status === 206 && start === target.received
    // The whole file where a part was asked for, or a part that is not there.
    if (!isPart && target.received > 0) yield* target.restart
    const isUseless = response.body === null || (response.status !== 200 && !isPart)
    if (isUseless) return yield* Effect.as(Effect.promise(() => cancelled(response)), `status ${response.status}`)
    const take = (bytes: Uint8Array) =>
      Effect.gen(function* () {
        if (target.received + bytes.length > size) return yield* broken(given, `it has more than ${size} bytes`)
        yield* target.append(bytes)
        target.digest.update(bytes)
        target.received += bytes.length
        observe(target.received)
      })
    const ended = yield* eachPiece(response.body!, take)
    return ended ?? (target.received < size ? "the connection was closed" : undefined)
  })
}

/** Runs `take` on each piece of a body; gives why it ended early, if it did. */
function eachPiece<E>(
  body: ReadableStream<Uint8Array>,
  take: (bytes: Uint8Array) => Effect.Effect<void, E>,
): Effect.Effect<string | undefined, E> {
  const next = (reader: ReadableStreamDefaultReader<Uint8Array>) =>
    Effect.tryPromise({ try: () => reader.read(), catch: (error) => (error as Error).message }).pipe(
      Effect.timeoutOrElse({ duration: "60 seconds", orElse: () => Effect.fail("no bytes for a minute") }),
      Effect.catch((why) => Effect.succeed({ why })),
    )
  return Effect.acquireUseRelease(
    Effect.sync(() => body.getReader()),
    (reader) =>
      Effect.gen(function* () {
        for (;;) {
          const piece = yield* next(reader)
          if ("why" in piece) return piece.why
          if (piece.done) return undefined
          yield* take(piece.value)
        }
      }),
    (reader) => Effect.promise(() => reader.cancel().catch(() => {})),
  )
}

const cancelled = (response: Response) => response.body?.cancel().catch(() => {}) ?? Promise.resolve()

function broken({ asked }: Download, why: string): Effect.Effect<never, HubError> {
  const message =
    `${asked} does not come as the hub lists it: ${why}. Nothing of it was kept; if it happens again, the ` +
    "file or the way to it is damaged"
  return Effect.fail(new HubError({ reason: "Broken", asked, message }))
}

function brokenOff({ asked, file: { size } }: Download, received: number, why: string): Effect.Effect<never, HubError> {
  const message =
    `the download of ${asked} broke off at ${received} of ${size} bytes: ${why}. The next attempt goes on there`
  return Effect.fail(new HubError({ reason: "Network", asked, message }))
}
