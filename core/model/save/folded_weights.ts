/**
 * What weights become with updates of plugins in them, by what sites say of it (`merge` of a site).
 * @module
 */
import * as Effect from "effect/Effect"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import { attempt } from "../../contracts/attempt.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { siteScope } from "../sites/scope.ts"
import { idsOf } from "../make_model.ts"
import type { Model } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { baseKey } from "../module.ts"
import { runOnce } from "../sites/run_once.ts"
import { type ResolvedSite, sitesOn } from "../sites/sites.ts"

/** What merging gives. */
export interface Folded {
  /** Ids of the plugins. */
  readonly ids: ReadonlyArray<string>
  /** Weights with updates in them, by key. */
  readonly weights: ReadonlyMap<string, Tensor>
  /** The same from their loaded values, of those that train beside methods. */
  readonly originals: ReadonlyMap<string, Tensor>
  /** That of the two which the model's own view has; undefined for a weight without updates. */
  readonly viewed: (key: string) => Tensor | undefined
}

/** Weights with updates in them, once they are known to be finite. */
export function foldedWeights(
  model: Model,
  names: ReadonlyArray<string> | undefined,
): Effect.Effect<Folded, ModelError | PluginError | BackendError> {
  return Effect.gen(function* () {
    const { ids, weights, originals, viewed } = yield* attempt(
      (): Folded => {
        const ids = chosen(model, names)
        const memory = new Map(model.parameters.map((parameter) => [parameter.key, parameter]))
        const trained = (key: string) => (model.folded.get(key) ?? memory.get(key))?.tensor ?? model.tensor(key, false)
        const loaded = (key: string) => (model.folded.get(key)?.original ?? memory.get(key)?.original)?.tensor
        const [weights, originals] = [fold(model, ids, trained), fold(model, ids, loaded)]
        const viewed = (key: string) => (model.tensor(key, false) === trained(key) ? weights : originals).get(key)
        return { ids, weights, originals, viewed }
      },
      ModelError,
      PluginError,
    )
    // Zero times anything finite is zero.
    const check = [...weights.values()].map((weight) => ops.sum(ops.mul(weight, 0))).reduce((a, b) => ops.add(a, b))
    const graph = { name: `check the merge of ${ids.join(", ")}`, outputs: { check }, updates: [] }
    const results = yield* inBackend(() => runOnce(model.backend, graph))
    if (results.check[0] === 0) return { ids, weights, originals, viewed }
    return yield* unsupported(`${ids.join(", ")}: merged weights would not be finite; nothing was written`)
  })
}

/** Ids of the plugins to merge. Throws {@link ModelError} or {@link PluginError}. */
function chosen(model: Model, names: ReadonlyArray<string> | undefined): ReadonlyArray<string> {
  const changing = new Set([...model.sites.values()].flat().map(({ owner }) => owner))
  const ids = names === undefined
    ? [...changing].filter((id) => !model.merged.has(id) && !model.off.has(id))
    : idsOf(model, names)
  const again = ids.find((id) => model.merged.has(id))
  if (again !== undefined) throw unsupported(`${again} is merged already`)
  const off = ids.find((id) => model.off.has(id))
  if (off !== undefined) throw unsupported(`${off} is off in this view of the model: merge one in which it is on`)
  const idle = ids.find((id) => !changing.has(id))
  if (idle !== undefined) throw unsupported(`${idle} changes no module: it cannot be merged`)
  if (ids.length === 0) throw unsupported("no plugin that is on changes a module: nothing can be merged")
  return ids
}

/**
 * Weights with the plugins' updates in them, by key. Throws {@link ModelError} where one does not fold.
 *
 * @param from What a weight is without them; undefined leaves it out.
 */
function fold(
  model: Model,
  ids: ReadonlyArray<string>,
  from: (key: string) => Tensor | undefined,
): ReadonlyMap<string, Tensor> {
  const tied = new Set([...Object.keys(model.tied), ...Object.values(model.tied)])
  const weights = new Map<string, Tensor>()
  for (const [path, all] of sitesOn(model)) {
    const own = all.filter(({ owner }) => ids.includes(owner))
    const rest = all.find(({ owner }) => !ids.includes(owner))
    // What is added to an output comes before what replaces an input or an output.
    const isSum = ({ plan }: ResolvedSite) => plan.place === "delta"
    for (const site of [...own.filter(isSum), ...own.filter((one) => !isSum(one))]) {
      const { owner, plan: { merge, place } } = site
      if (typeof merge !== "object") {
        const why = merge ?? `its "${place}" site does not say how it folds into a weight`
        throw unsupported(`${owner} cannot be merged at "${path}": ${why}`)
      }
      if (rest !== undefined && !isSum(site)) {
        throw unsupported(`${owner} and ${rest.owner} both change "${path}", one after the other: merge both`)
      }
      const scope = siteScope(site, { training: false, tensor: model.tensor, dropout: (_, x) => x })
      for (const [name, into] of Object.entries(merge)) {
        const key = baseKey(path, name)
        if (tied.has(key)) throw unsupported(`${owner}: "${key}" is tied to another weight; merging would change both`)
        const weight = weights.get(key) ?? from(key)
        if (weight !== undefined) weights.set(key, into(scope, weight))
      }
    }
  }
  return weights
}

function unsupported(message: string): ModelError {
  return new ModelError({ reason: "Unsupported", message })
}
