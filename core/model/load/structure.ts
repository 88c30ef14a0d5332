import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { BlockFormat } from "../../tensor/block_format.ts"
import { isOptional, type Ties, tiesOf } from "../../weights/weight_map.ts"
import type { ModelTask } from "../heads/model_task.ts"
import type { Model } from "../model.ts"
import { unmatched } from "../sites/selector.ts"
import { placesBefore, resolveSites, type SiteTable } from "../sites/sites.ts"
import type { Description } from "./describe.ts"
import { checkFrozen, type WantedEncodings, wantedEncodings, withEncodings } from "./encodings.ts"
import { checkTied, trainableOf } from "./trainable.ts"

/** What files say of a model. */
export interface FoundInFiles {
  /** With the labels of heads that the files hold. */
  readonly tasks: Readonly<Record<string, ModelTask>>
  readonly tied: Ties
  /** Keys of base parameters that start new. */
  readonly fresh: ReadonlySet<string>
  /** The `config.json` that holds for the weights. */
  readonly record: Model["config"]
}

/** Everything that is known of a model before any memory is taken. */
export interface Structure extends Omit<Description, "parameters" | keyof FoundInFiles>, FoundInFiles {
  /** Base parameters, tied ones once. */
  readonly base: ReadonlyArray<Parameter>
  readonly sites: SiteTable
  /** What plugins want base parameters to be kept in, by key. */
  readonly encodings: WantedEncodings
  readonly trains: (parameter: Parameter) => boolean
}

/** Methods at their modules. */
export interface Resolved extends Pick<Structure, "network" | "modules" | "sites" | "encodings"> {}

/**
 * Resolves methods' sites. Throws {@link PluginError} where methods do not fit the model or each other.
 *
 * @param fresh Keys of base parameters that start new: modules of nothing else count as head, so that methods which adapt
 * all else leave them alone.
 * @param stored Encodings in blocks that the files hold; undefined before they are open.
 */
export function resolveMethods(
  { contributions, parameters, modules: all, network }: Description,
  tied: Ties,
  fresh: ReadonlySet<string>,
  stored: ReadonlyMap<string, BlockFormat> | undefined,
): Resolved {
  const isNew = ({ path }: ModuleInfo) => {
    const own = parameters.filter(({ key, module }) => module === path && !Object.hasOwn(tied, key))
    return own.length > 0 && own.every(({ key }) => fresh.has(key))
  }
  const plain = all.map((module) => isNew(module) ? { ...module, outputHead: true } : module)
  const encodings = wantedEncodings({ contributions, modules: plain, parameters }, tied, stored)
  const modules = withEncodings(plain, tied, encodings, stored)
  const sites = resolveSites(modules, contributions)
  const taken = placesBefore(sites.byModule)
  const maxPositions = network.maxPositions - taken
  if (maxPositions <= 0) {
    const message = `prefixes of ${taken} places leave no room in the model's ${network.maxPositions} positions`
    throw new PluginError({ plugin: "plugins", message })
  }
  checkTied(tied, modules, contributions)
  return { network: { ...network, maxPositions }, modules, sites, encodings }
}

/** What holds of a model without files: all that files may lack starts new. */
export function foundInConfig({ tasks, tied, record }: Description): FoundInFiles {
  const fresh = Object.values(tasks).flatMap(({ network: { weights }, parameters, keys }) =>
    parameters.filter(({ key }) => isOptional(weights, key)).map(({ key }) => keys.get(key)!)
  )
  const own = Object.entries(tasks).map(([name, { config: { record }, ...own }]) =>
    [name, { ...own, tied: tiesOf(own.network.weights), config: record }] as const
  )
  return { tasks: Object.fromEntries(own), tied, record, fresh: new Set(fresh) }
}

/**
 * Everything that is known of a model, from config, methods and files. Throws {@link PluginError} where what trains is to
 * be kept in blocks.
 */
export function structureOf(description: Description, resolved: Resolved, found: FoundInFiles): Structure {
  const { parameters, ...described } = description
  const { fresh, tied } = found
  const base = parameters.filter(({ key }) => !Object.hasOwn(tied, key))
  const trains = trainableOf({ ...described, ...resolved, base, fresh })
  checkFrozen(base, trains, resolved.encodings)
  return { ...described, ...resolved, ...found, base, trains }
}

/** What a person should know of the config and of names that methods were given. */
export function setUpNotes({ modules, contributions, network }: Structure): ReadonlyArray<string> {
  const selectors = contributions.flatMap(({ id, sites = [], notes }) => [
    ...sites.flatMap((site) => {
      const names = unmatched(modules, site.select)
      return names.length === 0 ? [] : [`${id}: no module is named ${names.join(" or ")}; the other names count`]
    }),
    ...(notes?.(modules) ?? []),
  ])
  return [...network.notes, ...selectors]
}

/** What a person should know of parameters that the files lack and that no earlier run has either. */
export function newNotes(
  { base, fresh, trains }: Structure,
  earlier: ReadonlyMap<string, unknown>,
): ReadonlyArray<string> {
  const all = base.filter(({ key }) => fresh.has(key) && !earlier.has(key))
  const list = (what: string, parameters: ReadonlyArray<Parameter>) =>
    parameters.length === 0 ? [] : [`not in the files, so ${what}: ${parameters.map(({ key }) => key).join(", ")}`]
  return [
    ...list("new and trained", all.filter(trains)),
    ...list("new", all.filter((parameter) => !trains(parameter))),
  ]
}
