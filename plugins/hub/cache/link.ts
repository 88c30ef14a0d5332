import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { linkTarget } from "./layout.ts"

const { Deno } = globalThis as {
  Deno?: { permissions: { querySync(query: { name: "read" | "write" }): { state: string } } }
}

/** Deno makes symbolic links for programs alone that may read and write everything, and asks a person where one may not. */
function maySymlink(): boolean {
  return Deno === undefined ||
    (["read", "write"] as const).every((name) => Deno.permissions.querySync({ name }).state === "granted")
}

/**
 * Puts a blob into a snapshot: as a symbolic link, where these are refused as a second name of the file, else as a copy.
 *
 * @param path Path within the snapshot.
 */
export function linkBlob(
  blob: string,
  pointer: string,
  path: string,
  fs: FileSystem.FileSystem,
): Effect.Effect<void, PlatformError> {
  const oid = blob.slice(blob.lastIndexOf("/") + 1)
  const hard = fs.link(blob, pointer).pipe(Effect.catch(() => fs.copyFile(blob, pointer)))
  const link = maySymlink() ? fs.symlink(linkTarget(path, oid), pointer).pipe(Effect.catch(() => hard)) : hard
  return Effect.andThen(fs.remove(pointer, { force: true }), link)
}
