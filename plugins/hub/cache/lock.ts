/**
 * A lock between processes: the second one waits, and finds the file that the first one has fetched. In Deno it is the lock
 * (`flock`) that Python's tools take on the same file; Node has no such call, and takes a file beside it as its lock.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import { toStorageError } from "../../../core/formats/files/storage_error.ts"
import type { StorageError } from "../../../core/formats/files/storage_error.ts"

/** An open file that Deno can lock. */
interface LockedFile {
  lock(exclusive: boolean): Promise<void>
  close(): void
}

const { Deno } = globalThis as {
  Deno?: { open(path: string, options: { read: true; write: true; create: true }): Promise<LockedFile> }
}

/** Runs `work` while no other process holds the lock. Its folder must be there. */
export function withLock<A, E, R>(
  path: string,
  fs: FileSystem.FileSystem,
  work: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | StorageError, R> {
  if (Deno === undefined) return withLockFile(`${path}.node`, fs, work)
  const open = Deno.open
  return Effect.acquireUseRelease(
    Effect.tryPromise({
      try: async () => {
        const file = await open(path, { read: true, write: true, create: true })
        await file.lock(true)
        return file
      },
      catch: (cause) => toStorageError(path, "lock")(cause as PlatformError),
    }),
    () => work,
    (file) => Effect.sync(() => file.close()),
  )
}

/** A holder that has not said for so long that it lives was killed. */
const STALE_MILLISECONDS = 20_000

/** {@link withLock} where a runtime cannot lock a file: the file itself is the lock while it is there. */
export function withLockFile<A, E, R>(
  path: string,
  fs: FileSystem.FileSystem,
  work: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | StorageError, R> {
  const failed = toStorageError(path, "lock")
  const now = Effect.clockWith((clock) => clock.currentTimeMillis)
  const removeStale = Effect.gen(function* () {
    const { mtime } = yield* fs.stat(path)
    const written = Option.match(mtime, { onNone: () => 0, onSome: (date) => date.getTime() })
    if ((yield* now) - written > STALE_MILLISECONDS) yield* fs.remove(path, { force: true })
  }).pipe(Effect.ignore)
  const take: Effect.Effect<void, StorageError> = Effect.suspend(() =>
    fs.writeFile(path, new Uint8Array(), { flag: "wx" })
  )
    .pipe(
      Effect.catch((error) =>
        error.reason._tag === "AlreadyExists"
          ? removeStale.pipe(Effect.andThen(Effect.sleep("200 millis")), Effect.andThen(take))
          : Effect.fail(failed(error))
      ),
    )
  const beat = Effect.forever(Effect.andThen(
    Effect.sleep("5 seconds"),
    Effect.flatMap(now, (time) => Effect.ignore(fs.utimes(path, time / 1000, time / 1000))),
  ))
  return Effect.acquireUseRelease(
    take,
    () => Effect.raceFirst(work, beat),
    () => Effect.ignore(fs.remove(path, { force: true })),
  )
}
