/**
 * Batches whose rows go through different plugins.
 * @module
 */
import { PluginError } from "../contracts/plugin_error.ts"
import type { Factors, SitePlan } from "../contracts/site.ts"
import * as ops from "../tensor/ops.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Model } from "./model.ts"

/** Which plugin each row of a batch goes through; those that are not listed take part in every row. */
export interface Choice {
  /** Ids of the plugins to choose from. */
  readonly plugins: ReadonlyArray<string>
  /** Place in `plugins` of each row's plugin, `plugins.length` for none: i32 [B]. */
  readonly index: Tensor
}

/** A {@link Choice} for rows of data. */
export interface RowChoice {
  /** See {@link Choice.plugins}. */
  readonly plugins: ReadonlyArray<string>
  /** See {@link Choice.index}, by row. */
  readonly index: Int32Array
}

/** Places where rows can differ. */
const PLACES: ReadonlyArray<SitePlan["place"]> = ["before", "delta", "parallel", "after"]

/**
 * Rows with a plugin each.
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
      const message = `${id} is ${merged ? "merged" : "switched off"}: rows cannot choose; ` +
        `${merged ? "unmerge it" : "switch it on"} first`
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

/** `then` in the rows of the plugin at a place, `otherwise` in the others. */
export function inRowsOf(index: Tensor, place: number, then: Tensor, otherwise: Tensor | number): Tensor {
  const own = ops.reshape(ops.equal(index, place), [index.shape[0], ...new Array(then.shape.length - 1).fill(1)])
  return ops.where(own, then, otherwise)
}

/**
 * x down^T up^T with the factors of each row's plugin: [B, T, outFeatures]. Factors lie in two tables, a line for each
 * plugin and one of zeros, filled up to the greatest rank.
 */
export function rowProducts(
  x: Tensor,
  { plugins, index }: Choice,
  factors: ReadonlyMap<number, Factors>,
): Tensor {
  const all = [...factors.values()]
  const [inFeatures, outFeatures] = [all[0].down.shape[1], all[0].up.shape[0]]
  const rank = Math.max(...all.map(({ down }) => down.shape[0]))
  const table = (shape: ReadonlyArray<number>, of: (place: number) => Tensor | undefined) => {
    const size = shape[0] * shape[1]
    const lines = Array.from({ length: plugins.length + 1 }, (_, place) => {
      const own = of(place)
      if (own === undefined) return ops.full(0, [1, size])
      const missing = shape.map((extent, axis) => extent - own.shape[axis])
      return ops.reshape(missing.some((extent) => extent > 0) ? ops.pad(own, [0, 0], missing) : own, [1, size])
    })
    return ops.reshape(ops.gather(ops.concat(lines, 0), index), [index.shape[0], ...shape])
  }
  const rows = x.shape.length === 2 ? ops.reshape(x, [x.shape[0], 1, inFeatures]) : x
  const narrow = ops.matmul(rows, table([rank, inFeatures], (place) => factors.get(place)?.down), { transposeB: true })
  const up = table([outFeatures, rank], (place) => factors.get(place)?.up)
  const y = ops.matmul(narrow, up, { transposeB: true })
  return ops.reshape(y, [...x.shape.slice(0, -1), outFeatures])
}
