import * as Effect from "effect/Effect"
import { attempt } from "../../contracts/attempt.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import type { Head } from "../../contracts/head.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { Plugins } from "../../contracts/plugins.ts"
import { JsonError } from "../../formats/json/json_error.ts"
import type { ConfigReader } from "../../formats/json/model_config.ts"
import type { TaskOf } from "../../tasks/task.ts"
import { tiesOf } from "../../weights/weight_map.ts"
import { type ChangedBase, changedBase, checkChanges } from "./changed_base.ts"
import { checkFolders } from "../sites/adapters.ts"
import { Families, type Family } from "./families.ts"
import { ModelError } from "../model_error.ts"
import { backboneOf, baseKey, descendants, infoOf } from "../module.ts"
import type { Network } from "../network.ts"
import type { InitializeOptions } from "./load_options.ts"

/** What config and plugins say of a model, before its files are looked at. */
export interface Description {
  readonly directory: string
  readonly task: TaskOf
  readonly config: ConfigReader
  readonly network: Network
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly contributions: ReadonlyArray<Contribution>
  /** What plugins bring of the base. */
  readonly changed: ChangedBase
  /** Base parameters, tied ones under all their names. */
  readonly parameters: ReadonlyArray<Parameter>
  /** Keys of parameters whose shape follows from the size of the head. */
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
    const { head, problem } = task
    if (problem !== undefined) return yield* new ModelError({ reason: "Task", message: problem })
    const family = yield* familyOf(given, task)
    const build = (config: ConfigReader) => attempt(() => family.build(config, head), ModelError, JsonError)
    const plain = yield* build(given)
    const contributions = yield* (yield* Plugins).all
    yield* checkFolders(contributions)
    const changed = yield* attempt(
      () => changedBase(given, infosOf(plain), tiesOf(plain.weights), contributions),
      PluginError,
    )
    const { config } = changed
    const built = config === given ? plain : yield* build(config)
    const { checkFields } = yield* Effect.promise(() => import("../../formats/json/config_fields.ts"))
    const notes = [...built.notes, ...yield* attempt(() => checkFields(config, family.fields), JsonError, ModelError)]
    const parameters = parametersOf(built)
    yield* attempt(() => checkChanges(parameters, changed), PluginError)
    const labelKeys = yield* attempt(() => labelKeysOf(parameters, family, config, head), ModelError, JsonError)
    const network = { ...built, notes }
    const modules = infosOf(network)
    return { directory, task, config, network, modules, contributions, changed, parameters, labelKeys, seed }
  })
}

function familyOf(config: ConfigReader, task: TaskOf): Effect.Effect<Family, ModelError | JsonError, Families> {
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
    const { head } = task
    if (head.kind !== "vocabulary" || head.attention === family.attention) return family
    const message = `${config.file}: a model of type "${type}" has no head for ${task.kind}, which needs ` +
      `${head.attention} attention: its own is ${family.attention}`
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

/** Keys of parameters that have another shape where the head gives one number more. */
function labelKeysOf(
  parameters: ReadonlyArray<Parameter>,
  family: Family,
  config: ConfigReader,
  head: Head,
): ReadonlySet<string> {
  if (head.kind === "vocabulary") return new Set()
  const larger = parametersOf(family.build(config, { ...head, size: head.size + 1 }))
  const shapes = new Map(larger.map(({ key, shape }) => [key, `${shape}`]))
  return new Set(parameters.filter(({ key, shape }) => shapes.get(key) !== `${shape}`).map(({ key }) => key))
}
