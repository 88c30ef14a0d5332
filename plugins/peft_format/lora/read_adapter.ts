import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import type { ArtifactFiles } from "../../../core/contracts/contribution.ts"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { adapterFile, CONFIG_FILE, type PeftError, peftError, WEIGHTS_FILE } from "../../peft_names/mod.ts"

const PICKLE = "adapter_model.bin"

/** The files of a saved adapter by their path within `directory`. Fails with what is there in their stead. */
export function readAdapter(
  directory: string,
  name: string,
): Effect.Effect<ArtifactFiles, PeftError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const files: Record<string, Uint8Array> = {}
    for (const file of [CONFIG_FILE, WEIGHTS_FILE]) {
      const own = adapterFile(name, file)
      const path = `${directory}/${own}`
      if (!(yield* pathExists(path))) {
        const why = yield* whyAbsent(directory, name, file)
        if (why !== undefined) {
          return yield* peftError("Weights", path, why)
        }
      }
      files[own] = yield* fs.readFile(path).pipe(Effect.mapError(toStorageError(path, "read")))
    }
    return files
  })
}

/** What may be meant by a directory without a file; undefined where nothing is known. */
function whyAbsent(
  directory: string,
  name: string,
  file: string,
): Effect.Effect<string | undefined, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const has = (other: string) => pathExists(`${directory}/${other}`).pipe(Effect.orElseSucceed(() => false))
    if (file === WEIGHTS_FILE) {
      const pickle = adapterFile(name, PICKLE)
      if (!(yield* has(pickle))) return undefined
      return `is not there; ${PICKLE} is, in Python's own format, which is not read. Convert it: python -c "import torch, ` +
        "safetensors.torch as s; s.save_file({k: v.contiguous() for k, v in torch.load('" + PICKLE +
        "', map_location='cpu', weights_only=True).items()}, '" + WEIGHTS_FILE + "', {'format': 'pt'})\""
    }
    if (yield* has("config.json")) return "is not there: the directory holds a model, not an adapter"
    if (name !== "default" && (yield* has(CONFIG_FILE))) {
      return `is not there, but ${CONFIG_FILE} is above it: the adapter is named "default" in files`
    }
    return undefined
  })
}
