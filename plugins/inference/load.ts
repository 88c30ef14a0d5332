import type { Place } from "./files/place.ts"
import { type Files, placeOf } from "./files/place_of.ts"
import { toInferenceError } from "./inference_error.ts"
import { Loaded } from "./loaded.ts"
import type { LoadedModel } from "./loaded_model.ts"
import { MODEL, openModel } from "./open_model.ts"
import { checkOptions, LOAD_OPTIONS, type LoadOptions } from "./options.ts"
import { whileWanted } from "./files/while_wanted.ts"

/**
 * Loads a model, to generate, classify or embed with it and its adapters. It holds memory and threads until `free`.
 *
 * Rejects with an {@link InferenceError}, or with `signal.reason`.
 */
export async function load(files: Files, options: LoadOptions = {}): Promise<LoadedModel> {
  try {
    checkOptions(LOAD_OPTIONS, options)
    return await whileWanted(options.signal, async (signal) => {
      const places = new Map<string, Place>([[MODEL, await placeOf(files, { ...options, signal })]])
      return await Loaded.make(await openModel(places, options, signal), places, options.adapters, signal)
    })
  } catch (error) {
    throw toInferenceError(error)
  }
}
