/**
 * Parameters in and out of a model's memory, and the files of its plugins.
 * @module
 */
import * as Effect from "effect/Effect"
import { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { ArtifactContext, BaseParameters, Contribution, NamedValues } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Model, ModelParameter } from "../model.ts"
import type { Network } from "../network.ts"
import { runOnce } from "./run_once.ts"

/** What plugins' artifacts know of a model. */
export function artifactContext(model: {
  readonly directory: string
  readonly tasks: Model["tasks"]
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly network: Pick<Network, "architecture">
}): ArtifactContext {
  const { directory, tasks, modules, network } = model
  const [{ task }] = Object.values(tasks)
  return { baseModel: directory, head: task.head, modules, architecture: network.architecture }
}

/** What a plugin's graphs may read of a model: base parameters as they were loaded, and its own. */
export function baseParameters({ parameters, tied, backend }: Model, id: string): BaseParameters {
  const tensors = new Map<string, Tensor>()
  for (const { owner, key, original, tensor } of parameters) {
    if (owner === "base" || owner === id) tensors.set(key, original?.tensor ?? tensor)
  }
  return {
    parameter: (key) => {
      const tensor = tensors.get(tied[key] ?? key)
      if (tensor !== undefined) return tensor
      throw new PluginError({ plugin: id, message: `no parameter "${key}" of the base or ${id}` })
    },
    evaluate: (outputs) =>
      inBackend(async () =>
        await runOnce(backend, { name: `values of ${id}`, outputs, updates: [] }) as Readonly<
          Record<string, Float32Array>
        >
      ),
  }
}

/** Copies parameters out, in the order asked for. Default: all that train. */
export function readParameters(
  model: Model,
  parameters: ReadonlyArray<ModelParameter> = model.parameters.filter(({ trainable }) => trainable),
): Effect.Effect<ReadonlyArray<NamedValues>, BackendError> {
  return inBackend(async () => {
    const values: NamedValues[] = []
    for (const parameter of parameters) {
      values.push({ parameter, data: await model.backend.read(parameter.slot) as Float32Array })
    }
    return values
  })
}

/** Copies values in, by key. Nothing is written when a key is unknown or a length wrong ({@link BackendError}). */
export function writeParameters(
  model: Model,
  values: ReadonlyArray<NamedValues>,
): Effect.Effect<void, BackendError> {
  const byKey = new Map(model.parameters.map((parameter) => [parameter.key, parameter]))
  for (const { parameter: { key }, data } of values) {
    const own = byKey.get(key)
    if (own !== undefined && sizeOf(own.shape) === data.length) continue
    const what = own === undefined
      ? "the model has no such parameter"
      : `[${own.shape}] needs ${sizeOf(own.shape)} numbers`
    const message = `cannot write ${data.length} numbers to "${key}": ${what}`
    return Effect.fail(new BackendError({ reason: "BadInput", message }))
  }
  return inBackend(async () => {
    for (const { parameter: { key }, data } of values) await model.backend.write(byKey.get(key)!.slot, data)
  })
}

/** The method in a plugin's id. */
export const methodOf = (id: string): string => id.replace(/\/.*$/, "")

/**
 * A plugin's name is a folder in the files of most methods, and so is a method where two have files of one name: one
 * plugin must not have the name of another's method.
 */
export function checkFolders(contributions: ReadonlyArray<Contribution>): Effect.Effect<void, PluginError> {
  const saved = contributions.filter(({ artifacts }) => artifacts !== undefined)
  for (const { id } of saved) {
    const other = saved.find((other) => other.id !== id && id === `${methodOf(id)}/${methodOf(other.id)}`)
    if (other === undefined) continue
    const message =
      `${id}: its name is the method of ${other.id}, so that their files would be taken for each other's; ` +
      "give it another name"
    return Effect.fail(new PluginError({ plugin: id, message }))
  }
  return Effect.void
}

/** A plugin must give a value of the right size for each wanted parameter but frozen ones, and for no other. */
export function checkValues(
  plugin: string,
  wanted: ReadonlyArray<Parameter>,
  values: ReadonlyArray<NamedValues>,
): Effect.Effect<void, PluginError> {
  const given = new Map(values.map((value) => [value.parameter.key, value.data]))
  const wrong = wanted.filter(({ key, shape, trainable = true }) =>
    given.has(key) ? given.get(key)!.length !== sizeOf(shape) : trainable
  ).map(({ key }) => key)
  const known = new Set(wanted.map(({ key }) => key))
  if (wrong.length === 0 && [...given.keys()].every((key) => known.has(key))) return Effect.void
  const which = wrong.length === 0 ? "" : `; wrong or missing: ${wrong.slice(0, 10).join(", ")}`
  const message = `${plugin}: its files gave ${given.size} values for ${wanted.length} parameters${which}`
  return Effect.fail(new PluginError({ plugin, message }))
}

/**
 * Which parameters a plugin's files hold: its own, the base ones that it trains, and those that train though no plugin
 * asks for it (of new modules). What another plugin trains lies in that one's files.
 */
export function belongsTo(
  own: Contribution,
  { contributions, modules }: {
    readonly contributions: ReadonlyArray<Contribution>
    readonly modules: ReadonlyArray<ModuleInfo>
  },
): (parameter: Parameter) => boolean {
  const infos = new Map(modules.map((module) => [module.path, module]))
  return ({ owner, module, name, trainable = true }) => {
    if (owner !== "base") return owner === own.id
    const info = infos.get(module)
    const asks = ({ trains }: Contribution) => info !== undefined && (trains?.(info, name, modules) ?? false)
    return trainable && (asks(own) || !contributions.some(asks))
  }
}

/**
 * What a plugin's files must hold of these parameters. What trains only since it is new is not `trainable` here: where the
 * files lack it, it may start anew.
 */
export function wantedOf(
  own: Contribution,
  model: { readonly contributions: ReadonlyArray<Contribution>; readonly modules: ReadonlyArray<ModuleInfo> },
  parameters: ReadonlyArray<Parameter>,
): ReadonlyArray<Parameter> {
  const infos = new Map(model.modules.map((module) => [module.path, module]))
  const isAsked = ({ owner, module, name }: Parameter) => {
    const info = infos.get(module)
    return owner !== "base" ||
      (info !== undefined && model.contributions.some(({ trains }) => trains?.(info, name, model.modules)))
  }
  return parameters.filter(belongsTo(own, model)).map((parameter) => ({
    ...parameter,
    trainable: (parameter.trainable ?? true) && isAsked(parameter),
  }))
}
