import { PluginError } from "../../contracts/plugin_error.ts"
import type { Factors, KeyValues, SitePlan, SiteScope } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { hash } from "../hash.ts"
import { type Choice, inRowsOf, rowProducts } from "./choice.ts"
import { baseKey, type Decoding, type Module, type ModuleNode, type Scope } from "../module.ts"
import { pluginKey, prefixLength, type ResolvedSite, SHARED } from "./sites.ts"

/** Options of {@link makeScope}. */
export interface ScopeOptions {
  /** Sites at a module, in order; none if methods are off. */
  readonly sitesAt: (path: string) => ReadonlyArray<ResolvedSite>
  /** A parameter by key: the trained one, or the base model's as loaded (`original`). */
  readonly tensor: (key: string, original: boolean) => Tensor
  /** Name of the model's task. Default: that of one without a name. */
  readonly task?: string | undefined
  /** Whether dropout is on. */
  readonly training: boolean
  /** Whether derivatives recompute the inner values of blocks. */
  readonly checkpointing?: boolean
  /** Key of the random numbers: two i32 scalars. */
  readonly key: readonly [Tensor, Tensor] | undefined
  /** Key/value cache. */
  readonly decoding: Decoding | undefined
  /** Which plugin each row goes through. */
  readonly choice?: Choice | undefined
}

/** What a site sees of a model's graph. */
export function siteScope(
  { owner, module, plan }: ResolvedSite,
  { training, tensor, task = "default", dropout }: Pick<ScopeOptions, "training" | "tensor" | "task"> & {
    readonly dropout: (place: string, x: Tensor, rate: number) => Tensor
  },
): SiteScope {
  let count = 0
  return {
    task,
    training,
    parameter: (name) => {
      const shared = plan.shared !== undefined && Object.hasOwn(plan.shared, name)
      return tensor(pluginKey(owner, shared ? SHARED : module.path, name), false)
    },
    base: (name) => tensor(baseKey(module.path, name), true),
    dropout: (x, rate) => dropout(`${pluginKey(owner, module.path, "dropout")}.${count++}`, x, rate),
  }
}

/** The scope of one graph. */
export function makeScope(options: ScopeOptions): Scope {
  const { sitesAt, tensor, task, training, checkpointing = false, key, decoding, choice } = options
  const dropout = (place: string, x: Tensor, rate: number): Tensor => {
    if (!training || rate === 0) return x
    if (key === undefined) throw new ShapeError({ message: `Dropout at ${place} needs the key of random numbers` })
    return ops.dropout(x, rate, hash(place), key)
  }
  type Place = SitePlan["place"]
  const plansAt = <P extends Place>(path: string, place: P) =>
    sitesAt(path).flatMap((site) =>
      site.plan.place === place
        ? [{
          owner: site.owner,
          scope: siteScope(site, { training, tensor, task, dropout }),
          plan: site.plan as Extract<SitePlan, { readonly place: P }>,
          /** Index into `choice.plugins`; -1 if the site applies to all rows. */
          place: choice?.plugins.indexOf(site.owner) ?? -1,
        }]
        : []
    )
  /** Keeps a site's output only in rows that chose its plugin. */
  const inRows = (place: number, made: Tensor, otherwise: Tensor | number): Tensor =>
    place < 0 ? made : inRowsOf(choice!.index, place, made, otherwise)
  /** Outputs that sites add to a module's output; rows can use different sites. */
  const deltas = (path: string, x: Tensor): ReadonlyArray<Tensor> => {
    const factors = new Map<number, Factors>()
    const each: Tensor[] = []
    const sites = plansAt(path, "delta")
    const instead = sites.filter(({ plan }) => plan.instead)
    if (instead.length > 1 && instead.some(({ place }) => place < 0)) {
      const message = `"${path}" is there ${instead.length} times, once for each of ` +
        `${instead.map(({ owner }) => owner).join(", ")}; put one of them to work, or choose one for each row`
      throw new PluginError({ plugin: instead[0].owner, message })
    }
    for (const { scope, plan, place } of sites) {
      const found = place < 0 || factors.has(place) || x.shape.length > 3 ? undefined : plan.factors?.(scope)
      if (found === undefined) each.push(inRows(place, plan.forward(scope, x), 0))
      else factors.set(place, found)
    }
    return factors.size === 0 ? each : [...each, rowProducts(x, choice!, factors)]
  }
  /** What stands in for a module. */
  const replacement = (path: string) => {
    const [found, other] = plansAt(path, "replace")
    if (other === undefined) return found
    const message = `"${path}" is replaced twice, by ${found.owner} and ${other.owner}; put one of them to work`
    throw new PluginError({ plugin: found.owner, message })
  }
  const scope: Scope = {
    training,
    decoding,
    parameter: (module, name) => tensor(baseKey(module.path, name), false),
    call: <Extra extends ReadonlyArray<unknown>>(module: Module<Extra>, input: Tensor, ...extra: Extra): Tensor => {
      const x = plansAt(module.path, "before").reduce(
        (x, { scope, plan, place }) => inRows(place, plan.forward(scope, x), x),
        input,
      )
      const other = replacement(module.path)
      const forward = (x: Tensor) => other?.plan.forward(other.scope, x) ?? module.forward(scope, x, ...extra)
      let y = checkpointing && module.kind === "Block" ? ops.recompute(forward, x) : forward(x)
      for (const delta of deltas(module.path, x)) y = ops.add(y, delta)
      for (const { scope, plan, place } of plansAt(module.path, "parallel")) {
        y = ops.add(y, inRows(place, plan.forward(scope, x), 0))
      }
      for (const { scope, plan, place } of plansAt(module.path, "after")) {
        y = inRows(place, plan.forward(scope, y), y)
      }
      return y
    },
    residual: (module, y, join, seen) => {
      const plans = plansAt(module.path, "residual")
      const output = plans.reduce((before, { scope, plan }) => plan.forward(scope, before, seen), y)
      return plans.at(-1)?.plan.joins === false ? output : join(output)
    },
    keyValues: (module: ModuleNode): KeyValues | undefined => {
      const all = plansAt(module.path, "kv-prefix").map(({ owner, scope, plan }) => {
        const rows = plan.forward(scope)
        checkLength(owner, plan.length, rows.keys.shape[2])
        return rows
      })
      if (all.length < 2) return all[0]
      return { keys: joined(all.map(({ keys }) => keys), 2), values: joined(all.map(({ values }) => values), 2) }
    },
    inputPrefix: (module) => {
      if (decoding?.first === false) return undefined
      const all = plansAt(module.path, "input-prefix").map(({ owner, scope, plan }) => {
        const rows = plan.forward(scope)
        checkLength(owner, plan.length, rows.shape.at(-2)!)
        return rows
      })
      return all.length < 2 ? all[0] : joined(all.map((rows) => ops.reshape(rows, [-1, ...rows.shape.slice(-2)])), 1)
    },
    prefixLength: ({ path }) => prefixLength(sitesAt(path)),
    dropout: (module, place, x, rate) => dropout(`${module.path}.${place}`, x, rate),
  }
  return scope
}

/** Parts [1 or B, ...] along an axis. */
function joined(parts: ReadonlyArray<Tensor>, axis: number): Tensor {
  const batched = parts.find((part) => part.shape[0] !== 1)
  return ops.concat(parts.map((part) => batched && part.shape[0] === 1 ? ops.forBatch(part, batched) : part), axis)
}

function checkLength(plugin: string, stated: number, length: number): void {
  if (stated === length) return
  const message = `${plugin}: a prefix of ${length} rows, which its site says to be ${stated}`
  throw new PluginError({ plugin, message })
}
