import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { encodingOf, firstOverflow } from "../../../../kernels/encodings.ts"
import { BackendError } from "../../../backend/backend_error.ts"
import { GgufError } from "../../../formats/gguf/gguf_error.ts"
import { StorageError } from "../../../formats/files/storage_error.ts"
import { readTensors } from "../../../formats/safetensors/checkpoint.ts"
import { SafetensorsError } from "../../../formats/safetensors/safetensors_error.ts"
import type { TensorEntry } from "../../../formats/safetensors/safetensors_header.ts"
import type { Model, ModelParameter } from "../../model.ts"
import { ModelError } from "../../model_error.ts"
import type { FromFile } from "../initial_values.ts"
import { writePacked } from "./write_packed.ts"

const ERRORS = [ModelError, SafetensorsError, GgufError, StorageError, BackendError] as const
type WriteError = InstanceType<typeof ERRORS[number]>

/** Streams tensors of files into their slots; one that a transform makes is in memory whole, unless it stays packed. */
export function writeFromFiles(
  { backend }: Model,
  all: ReadonlyArray<FromFile>,
): Effect.Effect<void, WriteError, FileSystem.FileSystem> {
  const write = async ({ parameter, slots }: FromFile, data: Float32Array, offset?: number) => {
    checkRange(parameter, data)
    for (const slot of slots) await backend.write(slot, data, offset)
  }
  return Effect.gen(function* () {
    const streamed = new Map<TensorEntry, FromFile[]>()
    for (const one of all) {
      const { parameter, slots, tensor: { entry, packed, read, shape } } = one
      if (packed !== undefined) {
        yield* known(() => writePacked(packed, shape, slots, backend.write, (data) => checkRange(parameter, data)))
      } else if (entry !== undefined) streamed.set(entry, [...streamed.get(entry) ?? [], one])
      else yield* known(async () => await write(one, await read()))
    }
    yield* readTensors([...streamed.keys()], async (entry, data, offset) => {
      for (const one of streamed.get(entry)!) await write(one, data, offset)
    }).pipe(Effect.mapError((error) => error.cause instanceof ModelError ? error.cause : error))
  })
}

/** Runs what reads and writes; an error that is none of ours is the backend's. */
function known(run: () => Promise<void>): Effect.Effect<void, WriteError> {
  return Effect.tryPromise({
    try: run,
    catch: (cause) =>
      ERRORS.some((one) => cause instanceof one)
        ? cause as WriteError
        : new BackendError({ reason: "Run", message: cause instanceof Error ? cause.message : String(cause), cause }),
  })
}

/** Throws where a finite weight would become infinite. */
function checkRange({ key, slot: { storage } }: ModelParameter, data: Float32Array): void {
  const encoding = encodingOf(storage)
  const place = firstOverflow(encoding, data)
  if (place < 0) return
  const message = `"${key}" holds ${data[place]}, which ${encoding.name} cannot; load the model with weights: ` +
    (encoding.name === "f16" ? '"bf16" or "f32"' : '"f32"')
  throw new ModelError({ reason: "Weights", message })
}
