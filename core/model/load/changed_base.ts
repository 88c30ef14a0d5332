/**
 * What plugins bring of the base model from an earlier run: a vocabulary that grew, weights that are tied no more.
 * @module
 */
import type { BaseChanges, BaseWeight, Contribution } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { sameShape } from "../../tensor/shape.ts"

/** Changes of all plugins in one. */
export interface ChangedBase {
  /** Changed fields of the config. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Weights that stand in the stead of the files', by key. */
  readonly weights: ReadonlyMap<string, BaseWeight>
  /** Keys that are tied no more, by the key whose values they keep. */
  readonly untied: Readonly<Record<string, string>>
  /** Directory of the tokenizer that belongs to them, where it is another than the base model's. */
  readonly companions?: string
}

/** What all plugins bring. Throws {@link PluginError} where two of them want another base. */
export function changedBase(
  modules: ReadonlyArray<ModuleInfo>,
  tied: Readonly<Record<string, string>>,
  contributions: ReadonlyArray<Contribution>,
): ChangedBase {
  const fields: Record<string, unknown> = {}
  const weights = new Map<string, BaseWeight>()
  const untied: Record<string, string> = {}
  let companions: string | undefined
  for (const { id, base } of contributions) {
    if (base === undefined) continue
    const own: BaseChanges = base(modules, tied)
    const differs = (what: string) =>
      new PluginError({ plugin: id, message: `${id} and another plugin want another ${what}; load a model for each` })
    for (const [name, value] of Object.entries(own.config)) {
      if (Object.hasOwn(fields, name) && fields[name] !== value) throw differs(name)
      fields[name] = value
    }
    for (const weight of own.weights) {
      const other = weights.get(weight.key)
      if (other !== undefined && other.data.some((value, i) => value !== weight.data[i])) throw differs(weight.key)
      weights.set(weight.key, weight)
    }
    Object.assign(untied, own.untied)
    companions ??= own.companions
  }
  return { fields, weights, untied, ...(companions === undefined ? {} : { companions }) }
}

/** The tensors of the base's files less those that others stand for, and those that were tied under both names. */
export function withChanges<Entry extends object>(
  tensors: ReadonlyMap<string, Entry>,
  { weights, untied }: ChangedBase,
): ReadonlyMap<string, Entry> {
  const all = new Map(tensors)
  for (const [key, from] of Object.entries(untied)) {
    const entry = tensors.get(from)
    if (entry !== undefined) all.set(key, { ...entry })
  }
  for (const key of weights.keys()) all.delete(key)
  return all
}

/** Throws {@link PluginError} on a weight that the changed model does not have in that shape. */
export function checkChanges(base: ReadonlyArray<Parameter>, { weights }: ChangedBase): void {
  for (const { key, shape } of weights.values()) {
    const own = base.find((parameter) => parameter.key === key)
    if (own !== undefined && sameShape(own.shape, shape)) continue
    const message = `a saved "${key}" is [${shape}], which the model has ${
      own === undefined ? "not" : `as [${own.shape}]`
    }`
    throw new PluginError({ plugin: "plugins", message })
  }
}
