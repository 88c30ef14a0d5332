import type { Contribution } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { Ties } from "../../weights/weight_map.ts"
import { baseKey } from "../module.ts"
import type { SiteTable } from "../sites/sites.ts"

/** What decides which parameters train. */
interface Given {
  readonly contributions: ReadonlyArray<Contribution>
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly base: ReadonlyArray<Parameter>
  readonly sites: SiteTable
  /** Keys of base parameters that start new. */
  readonly fresh: ReadonlySet<string>
  /** Whether nothing trains that no plugin names. */
  readonly frozen: boolean
}

/** Whether all base parameters train: no plugin changes the model or says what trains or is encoded. */
export function trainsWhole(contributions: ReadonlyArray<Contribution>): boolean {
  return !contributions.some(({ sites = [], trains, encodings }) =>
    trains !== undefined || encodings !== undefined || sites.length > 0
  )
}

/** Which parameters train. */
export function trainableOf(
  { contributions, modules, base, sites, fresh, frozen }: Given,
): (parameter: Parameter) => boolean {
  const whole = !frozen && trainsWhole(contributions)
  // With a method, a new module trains whole only if its start is random: any other start is the same in every run, so
  // that files of methods need not hold it.
  const random = new Set(
    base.filter(({ key, initializer, module }) =>
      fresh.has(key) && initializer.kind === "normal" &&
      !sites.byModule.get(module)?.some(({ plan }) =>
        plan.place === "replace" || plan.place === "delta" && plan.instead
      )
    ).map(({ module }) => module),
  )
  const infos = new Map(modules.map((module) => [module.path, module]))
  return ({ owner, key, module, name, trainable = true }) => {
    if (owner !== "base") return trainable
    if (whole || (fresh.has(key) && random.has(module))) return true
    const info = infos.get(module)
    return info !== undefined && contributions.some(({ trains }) => trains?.(info, name, modules) ?? false)
  }
}

/** A tied weight has two names; formats of methods know a trained weight by one, so it cannot train beside them. */
export function checkTied(
  tied: Ties,
  modules: ReadonlyArray<ModuleInfo>,
  contributions: ReadonlyArray<Contribution>,
): void {
  const keys = new Set([...Object.keys(tied), ...Object.values(tied)])
  for (const { id, trains } of contributions) {
    for (const module of modules) {
      for (const name of Object.keys(module.parameters)) {
        const key = baseKey(module.path, name)
        if (!keys.has(key) || !trains?.(module, name, modules)) continue
        const message = `${id}: "${key}" is tied to another weight and cannot be trained beside a method; ` +
          "leave it out, or untie the model's embeddings"
        throw new PluginError({ plugin: id, message })
      }
    }
  }
}
