import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import { openModel, readTensor } from "../../formats/safetensors/checkpoint.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { StoredTensor } from "../stored_tensor.ts"

/** Tensors of a model's safetensors files, each whole when it is read, unless the files have it packed. */
export function openTensors(directory: string): Effect.Effect<
  ReadonlyMap<string, StoredTensor>,
  SafetensorsError | StorageError | JsonError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const { tensors } = yield* openModel(directory)
    const all = new Map([...tensors].map(([name, entry]) => {
      const { dtype, shape } = entry
      const read = async () => {
        const data = new Float32Array(sizeOf(shape))
        const pieces = readTensor(entry, (piece, offset) => data.set(piece, offset))
        await Effect.runPromise(Effect.provideService(pieces, fileSystem, fs))
        return data
      }
      return [name, { name, dtype, shape, entry, read }] as const
    }))
    if (![...tensors.keys()].some((name) => name.includes(".quant_state."))) return all
    const { withQuantized } = yield* Effect.promise(() => import("../bitsandbytes/quantized_tensors.ts"))
    return yield* withQuantized(all)
  })
}
