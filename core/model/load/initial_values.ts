/**
 * First values of a model's parameters, with one order of precedence: those of an earlier run, then weights that a plugin
 * replaces in the base, then the files', then the initializer's. A base parameter that trains beside methods also keeps its
 * loaded value, from the last three. Plugins that start from the base's weights compute their values after all these.
 * @module
 */
import type * as Effect from "effect/Effect"
import type { Slot } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { BaseWeight } from "../../contracts/contribution.ts"
import type { StoredTensor } from "../../weights/stored_tensor.ts"
import { initialValues } from "../initial_values.ts"
import type { Model, ModelParameter } from "../model.ts"
import type { EarlierValues } from "./earlier_values.ts"

/** Where first values come from, the first of them that has any. */
export interface ValueSources {
  /** Of an earlier run. */
  readonly earlier: EarlierValues
  /** Base weights that plugins replace. */
  readonly replaced: ReadonlyMap<string, BaseWeight>
  /** Of weight files. */
  readonly files: ReadonlyMap<string, StoredTensor>
  /** Seed of the initializers. */
  readonly seed: number
}

/** Slots that take a tensor of the files. */
export interface FromFile {
  readonly tensor: StoredTensor
  readonly parameter: ModelParameter
  readonly slots: ReadonlyArray<Slot>
}

/** Writes all values but those of files; gives what is left to be read from them. */
export function writeInitialValues(
  { parameters, backend }: Model,
  { earlier, replaced, files, seed }: ValueSources,
): Effect.Effect<ReadonlyArray<FromFile>, BackendError> {
  return inBackend(async () => {
    const left: FromFile[] = []
    for (const parameter of parameters) {
      const { key, slot, original } = parameter
      const ran = earlier.get(key)?.data
      if (ran !== undefined) await backend.write(slot, ran)
      const slots = [...(ran === undefined ? [slot] : []), ...(original === undefined ? [] : [original.slot])]
      if (slots.length === 0) continue
      const tensor = files.get(key)
      const data = replaced.get(key)?.data ?? (tensor === undefined ? initialValues(parameter, seed, key) : undefined)
      if (data !== undefined) { for (const one of slots) await backend.write(one, data) }
      else left.push({ tensor: tensor!, parameter, slots })
    }
    return left
  })
}
