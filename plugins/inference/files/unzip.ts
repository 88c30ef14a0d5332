import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Zip from "effect/encoding/Zip"
import { InferenceError } from "../inference_error.ts"

/** The files of a ZIP archive, by their paths. */
export async function unzip(archive: Blob): Promise<ReadonlyMap<string, Blob>> {
  const files = new Map<string, Blob>()
  const failed = (cause: unknown) =>
    new InferenceError("Files", `the ZIP archive cannot be read: ${(cause as Error).message}`, { cause })
  const entries = Stream.fromReadableStream({ evaluate: () => archive.stream(), onError: failed }).pipe(
    Stream.pipeThroughChannel(Zip.decode<InferenceError>()),
  )
  const read = Stream.runForEach(entries, ({ header: { path, type }, body }) =>
    // What macOS puts beside files.
    type !== "File" || /(^|\/)(__MACOSX|\.DS_Store)(\/|$)/.test(path) ? Effect.void : Effect.map(
      Stream.runCollect(body),
      (pieces) => void files.set(path, new Blob(pieces as Array<Uint8Array<ArrayBuffer>>)),
    ))
  await Effect.runPromise(Effect.mapError(read, failed))
  return files
}
