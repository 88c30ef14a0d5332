import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { type PlatformError, systemError, type SystemErrorTag } from "effect/PlatformError"
import type { Place } from "./place.ts"

const failure = (tag: SystemErrorTag, method: string, path: string, cause?: unknown): PlatformError =>
  systemError({ _tag: tag, module: "FileSystem", method, pathOrDescriptor: path, cause })

/** What lies at a path. */
type Found = { readonly type: "File"; readonly blob: Blob } | {
  readonly type: "Directory"
  readonly names: Set<string>
}

/**
 * The part of Effect's file system that reads models and adapters, over places by the folders that they stand for. Blobs are
 * read in parts, so that a file on a disk stays there. Effect's own module would bring its streams into a page's bundle.
 */
export function placeFiles(places: ReadonlyMap<string, Place>): FileSystem.FileSystem {
  const find = async (path: string): Promise<Found | undefined> => {
    for (const [folder, place] of places) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue
      const inner = path.slice(folder.length + 1)
      const blob = inner === "" ? undefined : await place.find(inner)
      if (blob !== undefined) return { type: "File", blob }
      const below = inner === "" ? "" : `${inner}/`
      const names = new Set(
        [...place.paths()].filter((name) => name.startsWith(below)).map((name) =>
          name.slice(below.length).split("/")[0]
        ),
      )
      return inner === "" || names.size > 0 ? { type: "Directory", names } : undefined
    }
  }
  const at = <A>(method: string, path: string, take: (found: Found) => Promise<A> | A | undefined) =>
    Effect.flatMap(
      Effect.tryPromise({ try: () => find(path), catch: (cause) => failure("Unknown", method, path, cause) }),
      (found) => {
        if (found === undefined) return Effect.fail(failure("NotFound", method, path))
        return Effect.tryPromise({
          try: async () => await take(found),
          catch: (cause) => failure("Unknown", method, path, cause),
        }).pipe(
          Effect.flatMap((taken) =>
            taken === undefined ? Effect.fail(failure("BadResource", method, path)) : Effect.succeed(taken)
          ),
        )
      },
    )
  const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer())
  const infoOf = (found: Found) => ({ type: found.type, size: BigInt(found.type === "File" ? found.blob.size : 0) })
  const open = (blob: Blob, path: string) => ({
    read: (buffer: Uint8Array, { position = 0n }: { readonly position?: bigint } = {}) =>
      Effect.tryPromise({
        try: async () => {
          const from = Number(position)
          const bytes = await bytesOf(blob.slice(from, from + buffer.length))
          buffer.set(bytes)
          return bytes.length
        },
        catch: (cause) => failure("Unknown", "read", path, cause),
      }),
  })
  const reading = {
    access: (path: string) => Effect.asVoid(at("access", path, infoOf)),
    stat: (path: string) => at("stat", path, infoOf),
    open: (path: string) => at("open", path, (found) => found.type === "File" ? open(found.blob, path) : undefined),
    readFile: (path: string) =>
      at("readFile", path, (found) => found.type === "File" ? bytesOf(found.blob) : undefined),
    readFileString: (path: string) =>
      at("readFileString", path, (found) => found.type === "File" ? found.blob.text() : undefined),
    readDirectory: (path: string) =>
      at("readDirectory", path, (found) => found.type === "File" ? undefined : [...found.names]),
  }
  return reading as unknown as FileSystem.FileSystem
}
