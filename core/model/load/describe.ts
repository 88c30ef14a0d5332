import * as Effect from "effect/Effect"
import { attempt } from "../../contracts/attempt.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { Plugins } from "../../contracts/plugins.ts"
import { JsonError } from "../../formats/json_error.ts"
import type { ConfigReader } from "../../formats/model_config.ts"
import { tiesOf } from "../../weights/weight_map.ts"
import { type ChangedBase, changedBase, checkChanges } from "../_changed_base.ts"
import { checkFolders } from "../adapters.ts"
import { Families, type Family } from "../families.ts"
import { ModelError } from "../model_error.ts"
import { backboneOf, baseKey, descendants, infoOf } from "../module.ts"
import type { Network } from "../network.ts"
import { labelsOf, type Task } from "../task.ts"
import type { InitializeOptions } from "./load_options.ts"

/** What config and plugins say of a model, before its files are looked at. */
export interface Description {
  readonly directory: string
  readonly task: Task
  readonly config: ConfigReader
  readonly network: Network
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly contributions: ReadonlyArray<Contribution>
  /** What plugins bring of the base. */
  readonly changed: ChangedBase
  /** Base parameters, tied ones under all their names. */
  readonly parameters: ReadonlyArray<Parameter>
  /** Keys of parameters whose shape follows from the number of labels. */
  readonly labelKeys: ReadonlySet<string>
  readonly seed: number
}

/** Reads a config with its family and the plugins. */
export function describe(
  given: ConfigReader,
  directory: string,
  { task, seed }: Required<InitializeOptions>,
): Effect.Effect<Description, ModelError | PluginError | JsonError, Plugins | Families> {
  return Effect.gen(function* () {
    yield* attempt(() => checkLabels(task), ModelError)
    const family = yield* familyOf(given, task)
    const build = (config: ConfigReader) => attempt(() => family.build(config, task), ModelError, JsonError)
    const plain = yield* build(given)
    const contributions = yield* (yield* Plugins).all
    yield* checkFolders(contributions)
    const changed = yield* attempt(
      () => changedBase(given, infosOf(plain), tiesOf(plain.weights), contributions),
      PluginError,
    )
    const { config } = changed
    const built = config === given ? plain : yield* build(config)
    const { checkFields } = yield* Effect.promise(() => import("../../formats/config_fields.ts"))
    const notes = [...built.notes, ...yield* attempt(() => checkFields(config, family.fields), JsonError, ModelError)]
    const parameters = parametersOf(built)
    yield* attempt(() => checkChanges(parameters, changed), PluginError)
    const labelKeys = yield* attempt(() => labelKeysOf(parameters, family, config, task), ModelError, JsonError)
    const network = { ...built, notes }
    const modules = infosOf(network)
    return { directory, task, config, network, modules, contributions, changed, parameters, labelKeys, seed }
  })
}

function checkLabels(task: Task): void {
  const labels = labelsOf(task)
  if (labels === undefined || (labels.length > 1 && new Set(labels).size === labels.length)) return
  const message = `${task.kind} needs at least two different labels, got ${JSON.stringify(labels)}`
  throw new ModelError({ reason: "Task", message })
}

function familyOf(config: ConfigReader, task: Task): Effect.Effect<Family, ModelError | JsonError, Families> {
  return Effect.gen(function* () {
    const families = yield* (yield* Families).all
    const type = yield* config.decode((c) => c.string("model_type"))
    const family = families.get(type)
    if (family === undefined) {
      const known = families.size === 0
        ? "no model family is registered: provide the layer of one"
        : [...families.keys()].sort().join(", ")
      const message = `${config.file}: unknown model_type "${type}"; known: ${known}`
      return yield* new ModelError({ reason: "UnknownModelType", message })
    }
    if (family.tasks.includes(task.kind)) return family
    const message = `${config.file}: a model of type "${type}" has no head for ${task.kind}; it has one for ${
      family.tasks.join(", ")
    }`
    return yield* new ModelError({ reason: "Task", message })
  })
}

function infosOf({ root, defaultTargets }: Network): ReadonlyArray<ModuleInfo> {
  const nodes = descendants(root)
  const backbone = backboneOf(nodes)
  return nodes.map((node) => infoOf(node, defaultTargets, backbone))
}

/** Base parameters of a network in the tree's order. */
function parametersOf({ root }: Network): ReadonlyArray<Parameter> {
  return [root, ...descendants(root)].flatMap(({ path, parameters }) =>
    Object.entries(parameters).map(([name, spec]): Parameter => (
      { ...spec, key: baseKey(path, name), module: path, name, owner: "base" }
    ))
  )
}

/** Keys of parameters that have another shape with one label more. */
function labelKeysOf(
  parameters: ReadonlyArray<Parameter>,
  family: Family,
  config: ConfigReader,
  task: Task,
): ReadonlySet<string> {
  if (!("labels" in task)) return new Set()
  const larger = parametersOf(family.build(config, { ...task, labels: [...task.labels, "one more"] }))
  const shapes = new Map(larger.map(({ key, shape }) => [key, `${shape}`]))
  return new Set(parameters.filter(({ key, shape }) => shapes.get(key) !== `${shape}`).map(({ key }) => key))
}
