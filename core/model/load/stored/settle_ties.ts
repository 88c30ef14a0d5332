import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { sameTensor } from "../../../formats/safetensors/checkpoint.ts"
import type { SafetensorsError } from "../../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../../formats/files/storage_error.ts"
import type { StoredTensor } from "../../../weights/stored_tensor.ts"
import type { Ties } from "../../../weights/weight_map.ts"

/** Ties of a model as its files bear them out. */
export interface SettledTies {
  /** Keys that are another parameter, by the key of that. */
  readonly tied: Ties
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
}

/**
 * Looks at tied weights that the files hold at both places: where they differ, both are taken as they are (as transformers
 * 5 does; 4 would take one of them for both), and a person is told. One that lies at the other place alone is taken there.
 */
export function settleTies(
  tied: Ties,
  tensors: ReadonlyMap<string, StoredTensor>,
): Effect.Effect<SettledTies, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const kept: Record<string, string> = {}
    const placed = new Map(tensors)
    const notes: string[] = []
    for (const [key, source] of Object.entries(tied)) {
      const own = tensors.get(key)
      const other = tensors.get(source)
      if (own !== undefined && other === undefined) placed.set(source, own)
      if (own === undefined || other === undefined || (yield* same(own, other))) {
        kept[key] = source
        continue
      }
      notes.push(
        `${key} in the files differs from ${source}, which the config ties it to: both are taken as they are, untied ` +
          `(as in transformers 5; 4 would use ${source} for both)`,
      )
    }
    return { tied: kept, tensors: placed, notes }
  })
}

function same(
  a: StoredTensor,
  b: StoredTensor,
): Effect.Effect<boolean, SafetensorsError | StorageError, FileSystem.FileSystem> {
  if (a.entry !== undefined && b.entry !== undefined) return sameTensor(a.entry, b.entry)
  return Effect.promise(async () => {
    if (`${a.shape}` !== `${b.shape}`) return false
    const [mine, theirs] = [await a.read(), await b.read()]
    return mine.every((value, i) => value === theirs[i])
  })
}
