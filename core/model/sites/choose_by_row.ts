/**
 * Chooses the plugin of each row of data.
 * @module
 */
import { PluginError } from "../../contracts/plugin_error.ts"
import type { SitePlan } from "../../contracts/site.ts"
import type { Model } from "../model.ts"

/** Host-side counterpart of `Choice`. */
export interface RowChoice {
  /** Ids of the plugins to choose from. */
  readonly plugins: ReadonlyArray<string>
  /** Index in `plugins` of each row's plugin, `plugins.length` for none. */
  readonly index: Int32Array
}

/** Site kinds that can differ between rows. */
const PLACES: ReadonlyArray<SitePlan["place"]> = ["before", "delta", "parallel", "after"]

/**
 * Makes the choice from one plugin id a row.
 *
 * @param ids The plugin of each row, `"method/name"`, or `""` for none. A row goes through no other plugin of the methods
 * that are named here; where none is named, through no plugin at all.
 * @throws PluginError when one is not there, merged or switched off, or changes the model where rows cannot differ.
 */
export function chooseByRow(model: Model, ids: ReadonlyArray<string>): RowChoice {
  const methods = new Set(ids.filter((id) => id !== "").map(methodOf))
  const plugins = model.contributions.filter(({ id, sites = [] }) =>
    sites.length > 0 && (methods.size === 0 || methods.has(methodOf(id)))
  ).map(({ id }) => id)
  const index = Int32Array.from(ids, (id, row) => {
    if (id === "") return plugins.length
    const place = plugins.indexOf(id)
    if (place >= 0) return place
    throw new PluginError({
      plugin: id,
      message: `row ${row + 1} wants "${id}", which is not there; there are: ${plugins.join(", ") || "none"}`,
    })
  })
  for (const id of plugins) {
    const merged = model.merged.has(id)
    if (merged || model.off.has(id)) {
      const message = `${id} is ${merged ? "merged" : "switched off"}: rows cannot choose; take ` +
        (merged ? "the model that it was merged from" : "a view with it on")
      throw new PluginError({ plugin: id, message })
    }
    const place = [...model.sites.values()].flat().find(({ owner, plan }) =>
      owner === id && !PLACES.includes(plan.place)
    )?.plan.place
    if (place !== undefined) {
      const message = `${id} changes the model at "${place}", where the rows of a batch cannot differ`
      throw new PluginError({ plugin: id, message })
    }
  }
  return { plugins, index }
}

const methodOf = (id: string): string => id.replace(/\/.*$/, "")
