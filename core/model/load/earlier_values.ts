import * as Effect from "effect/Effect"
import type { NamedValues } from "../../contracts/contribution.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { artifactContext, checkValues, wantedOf } from "../sites/adapters.ts"
import type { Structure } from "./structure.ts"

/** Values that plugins bring from an earlier run, by key. */
export type EarlierValues = ReadonlyMap<string, NamedValues>

/** Reads what plugins bring from an earlier run. */
export function earlierValues(structure: Structure): Effect.Effect<EarlierValues, PluginError> {
  return Effect.gen(function* () {
    const { base, sites, trains } = structure
    const all = [...base, ...sites.parameters].map((parameter) => ({ ...parameter, trainable: trains(parameter) }))
    const values = new Map<string, NamedValues>()
    for (const contribution of structure.contributions) {
      const { id, artifacts } = contribution
      if (artifacts?.initial === undefined) continue
      const wanted = wantedOf(contribution, structure, all)
      const loaded = yield* artifacts.load(artifacts.initial, wanted, artifactContext(structure)).pipe(
        Effect.mapError((error) =>
          error instanceof PluginError ? error : new PluginError({ plugin: id, message: error.message })
        ),
      )
      yield* checkValues(id, wanted, loaded)
      for (const value of loaded) {
        const { key } = value.parameter
        const other = values.get(key)
        if (other !== undefined && value.data.some((number, i) => number !== other.data[i])) {
          const message = `${id} and another plugin bring different values for "${key}", which the model has once; ` +
            "load one of them, a model for each, or (heads) each as a module of the plugin's own"
          return yield* new PluginError({ plugin: id, message })
        }
        values.set(key, value)
      }
    }
    return values
  })
}
