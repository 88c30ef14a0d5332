/**
 * Resolves the sites of methods against the original tree, from structure alone, before weights are loaded.
 * @module
 */
import type { Contribution } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter, ParameterSpec } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { SitePlan } from "../../contracts/site.ts"
import { sameShape, sizeOf } from "../../tensor/shape.ts"
import { select } from "./selector.ts"

/** A site at one module. */
export interface ResolvedSite {
  /** Id of the plugin. */
  readonly owner: string
  /** Its module. */
  readonly module: ModuleInfo
  /** Its plan. */
  readonly plan: SitePlan
}

/** All sites of a model. */
export interface SiteTable {
  /** Sites by the path of their module, in the plugins' order. */
  readonly byModule: ReadonlyMap<string, ReadonlyArray<ResolvedSite>>
  /** Parameters of plugins: of sites in the tree's order, then of objectives. */
  readonly parameters: ReadonlyArray<Parameter>
}

/** Module kind that a site kind requires; the other site kinds fit every module. */
const KIND_OF_PLACE: Readonly<Record<string, string>> = { "kv-prefix": "Attention", "input-prefix": "Backbone" }

/** Module part of the keys of shared parameters. */
export const SHARED = "shared"

/** Key of a plugin's parameter. */
export function pluginKey(owner: string, module: string, name: string): string {
  return `${owner}:${module}.${name}`
}

/**
 * Resolves the sites of all contributions, which come in the registry's order. Throws {@link PluginError} if a selector
 * matches nothing, a site does not fit its module, or two sites have the same parameter.
 */
export function resolveSites(
  modules: ReadonlyArray<ModuleInfo>,
  contributions: ReadonlyArray<Contribution>,
): SiteTable {
  const byModule = new Map<string, ResolvedSite[]>()
  const parameters = new Map<string, Parameter>()
  const add = (owner: string, module: string, specs: Readonly<Record<string, ParameterSpec>>): void => {
    for (const [name, spec] of Object.entries(specs)) {
      const key = pluginKey(owner, module, name)
      if (parameters.has(key)) {
        const message = `${owner}: two of its sites want the parameter "${name}" at "${module}"; name them apart`
        throw new PluginError({ plugin: owner, message })
      }
      check(key, spec, owner)
      parameters.set(key, { ...spec, key, module, name, owner })
    }
  }
  const share = (owner: string, specs: Readonly<Record<string, ParameterSpec>>): void => {
    for (const [name, spec] of Object.entries(specs)) {
      const key = pluginKey(owner, SHARED, name)
      const first = parameters.get(key)
      if (first === undefined) add(owner, SHARED, { [name]: spec })
      else if (!sameShape(first.shape, spec.shape)) {
        const message = `${owner}: its modules want the shared parameter "${name}" as [${first.shape}] and as ` +
          `[${spec.shape}]; they must be of one shape`
        throw new PluginError({ plugin: owner, message })
      }
    }
  }
  for (const { id, sites = [], objective } of contributions) {
    for (const site of sites) {
      for (const module of select(modules, site.select, site.exclude, id)) {
        const plan = site.plan(module)
        const kind = KIND_OF_PLACE[plan.place]
        if (kind !== undefined && module.kind !== kind) {
          const message = `${id}: "${plan.place}" needs a module of kind ${kind}; "${module.path}" is ${module.kind}`
          throw new PluginError({ plugin: id, message })
        }
        if (plan.place === "residual" && module.residual === undefined) {
          const message = `${id}: "residual" needs a module whose output is added to the residual stream; ` +
            `"${module.path}" is none`
          throw new PluginError({ plugin: id, message })
        }
        add(id, module.path, plan.parameters)
        share(id, plan.shared ?? {})
        byModule.set(module.path, [...byModule.get(module.path) ?? [], { owner: id, module, plan }])
      }
    }
    add(id, "objective", objective?.parameters ?? {})
  }
  return { byModule, parameters: [...parameters.values()] }
}

/** Sites of plugins that are at work beside the weights, by the path of their module. */
export function sitesOn(
  { sites, merged, off }: {
    readonly sites: SiteTable["byModule"]
    readonly merged: ReadonlySet<string>
    readonly off: ReadonlySet<string>
  },
): SiteTable["byModule"] {
  const isOn = ({ owner }: ResolvedSite) => !merged.has(owner) && !off.has(owner)
  const on = [...sites].map(([path, all]) => [path, all.filter(isOn)] as const)
  return new Map(on.filter(([, all]) => all.length > 0))
}

/** Rows that sites at a module put before those of a sequence. */
export function prefixLength(sites: ReadonlyArray<ResolvedSite>): number {
  return sites.reduce((sum, { plan }) => sum + ("length" in plan ? plan.length : 0), 0)
}

/** Positions that sites take from a sequence. */
export const placesBefore = (sites: SiteTable["byModule"]): number =>
  longestPrefix(sites, "Attention") + longestPrefix(sites, "Backbone")

/** Most rows that sites put before a sequence in modules of a kind. */
function longestPrefix(sites: SiteTable["byModule"], kind: string): number {
  return Math.max(0, ...[...sites.values()].filter(([{ module }]) => module.kind === kind).map(prefixLength))
}

function check(key: string, { shape, initializer }: ParameterSpec, plugin: string): void {
  const wrong = !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0) ||
    (initializer.kind === "values" && initializer.data.length !== sizeOf(shape))
  if (wrong) {
    throw new PluginError({ plugin, message: `${plugin}: parameter "${key}" of shape [${shape}] cannot be made` })
  }
}
