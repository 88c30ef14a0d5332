import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { readTensor } from "../../../formats/safetensors/checkpoint.ts"
import type { NameRule } from "../../../formats/safetensors/check_names.ts"
import type { SafetensorsError } from "../../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../../formats/files/storage_error.ts"
import { isFloatDType } from "../../../formats/safetensors/stored_dtype.ts"
import { sizeOf } from "../../../tensor/shape.ts"
import type { StoredTensor } from "../../../weights/stored_tensor.ts"

/** Buffers that older versions wrote beside weights. They follow from the config, and transformers passes over them too. */
export const STALE_BUFFERS: ReadonlyArray<NameRule> = [
  "position_ids",
  "token_type_ids",
  "rotary_emb.inv_freq",
  /\brotary_emb\.(cos|sin)_cached$/,
  /\battn\.(masked_)?bias$/,
  /\._extra_state$/,
]

/** Rounding of 16-bit floats; the smallest are subnormal there. */
const isClose = (a: number, b: number) => Math.abs(a - b) <= 0.01 * Math.abs(b) + 1e-6

/** Says of buffers whether they are what the config gives. `computed` is by the ends of names. */
export function compareBuffers(
  computed: Readonly<Record<string, ReadonlyArray<number>>>,
  tensors: ReadonlyMap<string, StoredTensor>,
  ignored: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string>, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const notes: string[] = []
    for (const [end, values] of Object.entries(computed)) {
      for (const name of ignored.filter((name) => name === end || name.endsWith(`.${end}`))) {
        const { entry } = tensors.get(name)!
        let same = entry !== undefined && sizeOf(entry.shape) === values.length && isFloatDType(entry.dtype)
        if (entry !== undefined && same) {
          yield* readTensor(entry, (data, at) => {
            same &&= data.every((value, i) => isClose(value, values[at + i]))
          })
        }
        if (same) continue
        notes.push(
          `${name} in the files is not what the config gives; the config counts, as in transformers: check its theta and scaling`,
        )
        break
      }
    }
    return notes
  })
}
