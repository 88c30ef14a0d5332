/**
 * What weights become with updates of plugins in them, by what sites say of it (`merge` of a site).
 * @module
 */
import * as Effect from "effect/Effect"
import { bytesFor, inBlocks } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import { attempt } from "../../contracts/attempt.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { MergeInto, MergeIntoOffsets, SiteScope } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Slot } from "../../backend/backend.ts"
import { siteScope } from "../sites/scope.ts"
import { idsOf } from "../make_model.ts"
import type { Model } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { baseKey } from "../module.ts"
import { runOnce } from "../sites/run_once.ts"
import { type ResolvedSite, sitesOn } from "../sites/sites.ts"
import { hasOffsets, repeated } from "./offsets.ts"

/** What merging gives. */
export interface Folded {
  /** Ids of the plugins. */
  readonly ids: ReadonlyArray<string>
  /** Weights with updates in them, by key. */
  readonly weights: ReadonlyMap<string, Tensor>
  /** What is added to the offsets of weights in blocks, one number a block, by key; `weights` lacks these. */
  readonly offsets: ReadonlyMap<string, Tensor>
  /** The same from their loaded values, of those that train beside methods. */
  readonly originals: ReadonlyMap<string, Tensor>
  /** That of the two which the model's own view has; undefined for a weight without updates. */
  readonly viewed: (key: string) => Tensor | undefined
}

/**
 * What becomes of weights in blocks: updates must fit their offsets, go into them where they fit, or such weights become
 * whole ones too.
 */
export type InBlocks = "offsets" | "either" | "whole"

/** Weights with updates in them, once they are known to be finite. */
export function foldedWeights(
  model: Model,
  names: ReadonlyArray<string> | undefined,
  blocks: InBlocks,
): Effect.Effect<Folded, ModelError | PluginError | BackendError> {
  return Effect.gen(function* () {
    const folded = yield* attempt(
      (): Folded => {
        const ids = chosen(model, names)
        const memory = new Map(model.parameters.map((parameter) => [parameter.key, parameter]))
        const trained = (key: string) => (model.folded.get(key) ?? memory.get(key))?.tensor ?? model.tensor(key, false)
        const loaded = (key: string) => (model.folded.get(key)?.original ?? memory.get(key)?.original)?.tensor
        const slotOf = (key: string) => (model.folded.get(key) ?? memory.get(key))?.slot
        const { weights, offsets } = fold(model, ids, trained, slotOf, blocks)
        // What trains is kept in no blocks.
        const { weights: originals } = fold(model, ids, loaded, slotOf, "whole")
        const viewed = (key: string) => (model.tensor(key, false) === trained(key) ? weights : originals).get(key)
        return { ids, weights, offsets, originals, viewed }
      },
      ModelError,
      PluginError,
    )
    // Zero times anything finite is zero.
    const { ids, weights, offsets } = folded
    const check = [...weights.values(), ...offsets.values()].map((weight) => ops.sum(ops.mul(weight, 0))).reduce((
      a,
      b,
    ) => ops.add(a, b))
    const graph = { name: `check the merge of ${ids.join(", ")}`, outputs: { check }, updates: [] }
    const results = yield* inBackend(() => runOnce(model.backend, graph))
    if (results.check[0] === 0) return folded
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
 * Weights with the plugins' updates in them, by key, and changes of offsets. Throws {@link ModelError} where one does not
 * fold.
 *
 * @param from What a weight is without them; undefined leaves it out.
 * @param slotOf Memory of a weight.
 */
function fold(
  model: Model,
  ids: ReadonlyArray<string>,
  from: (key: string) => Tensor | undefined,
  slotOf: (key: string) => Slot | undefined,
  blocks: InBlocks,
): Pick<Folded, "weights" | "offsets"> {
  const tied = new Set([...Object.keys(model.tied), ...Object.values(model.tied)])
  const weights = new Map<string, Tensor>(), offsets = new Map<string, Tensor>()
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
        const weight = weights.get(key) ?? from(key), other = offsets.get(key)
        if (weight === undefined) continue
        const slot = slotOf(key), isKept = blocks !== "whole" && slot !== undefined && !weights.has(key)
        const deltas = isKept ? inOffsets(owner, into, scope, slot, blocks === "offsets") : undefined
        if (deltas !== undefined) {
          offsets.set(key, other === undefined ? deltas : ops.add(other, deltas))
        } else {
          offsets.delete(key)
          const start = other === undefined ? weight : ops.add(weight, repeated(other, weight.shape[1]))
          weights.set(key, whole(into, scope, start))
        }
      }
    }
  }
  return { weights, offsets }
}

/** A whole weight with a change in it. */
function whole(into: MergeInto | MergeIntoOffsets, scope: SiteScope, weight: Tensor): Tensor {
  if (typeof into === "function") return into(scope, weight)
  return ops.add(weight, repeated(into.offsets(scope), weight.shape[1]))
}

/**
 * What is added to the offset of each block; undefined for a weight in no blocks, or where they cannot hold the change.
 *
 * @param must Whether the latter throws a {@link ModelError}.
 */
function inOffsets(
  owner: string,
  into: MergeInto | MergeIntoOffsets,
  scope: SiteScope,
  { name, shape, storage }: Slot,
  must: boolean,
): Tensor | undefined {
  const encoding = encodingOf(storage), columns = shape[shape.length - 1]
  if (!inBlocks(encoding)) return undefined
  const deltas = typeof into === "function" ? undefined : into.offsets(scope)
  if (deltas !== undefined && hasOffsets(encoding, columns / deltas.shape[1])) {
    return repeated(deltas, columns / encoding.block)
  }
  if (!must) return undefined
  const megabytes = (bytes: number) => `${(bytes / 1e6).toPrecision(3)} MB`
  throw unsupported(
    `${owner} cannot be merged into "${name}", which is kept in blocks of ${encoding.name}: its update is not one number ` +
      "for each block. Keep the adapter beside the model, save a merged model of floats (saveMerged), or merge into f32 " +
      `(option float: true), which takes ${megabytes(4 * sizeOf(shape))} in the place of ` +
      `${megabytes(bytesFor(encoding, sizeOf(shape)))} for each such weight`,
  )
}

function unsupported(message: string): ModelError {
  return new ModelError({ reason: "Unsupported", message })
}
