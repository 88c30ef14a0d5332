import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { badField } from "../requests/api_error.ts"

/** The folder that a path means, links followed, where it lies in one of the folders that adapters may come from. */
export function allowedFolder(
  path: string,
  folders: ReadonlyArray<string>,
): Effect.Effect<string, unknown, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    // The same words whether the path is there or not: they tell nothing of other folders.
    const refused = badField(
      "lora_path",
      `lora_path must be a folder below ${
        folders.length === 0
          ? "those that the server was given, which are none"
          : folders.map((one) => JSON.stringify(one)).join(" or ")
      }, got ${JSON.stringify(path)}`,
    )
    const real = yield* fs.realPath(path).pipe(Effect.mapError(() => refused))
    for (const folder of folders) {
      const whole = yield* fs.realPath(folder).pipe(Effect.orElseSucceed(() => undefined))
      if (whole !== undefined && (real === whole || real.startsWith(`${whole.replace(/\/$/, "")}/`))) return real
    }
    return yield* refused
  })
}
