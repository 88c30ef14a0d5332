import * as Effect from "effect/Effect"
import { attempt } from "../../contracts/attempt.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import type { Head } from "../../contracts/head.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { Plugins } from "../../contracts/plugins.ts"
import { JsonError } from "../../formats/json/json_error.ts"
import { ConfigReader } from "../../formats/json/model_config.ts"
import type { TaskOf } from "../../tasks/task.ts"
import { isTransposed, type Ties, tiesOf } from "../../weights/weight_map.ts"
import { joinNetworks, type SharedNetwork } from "../heads/join_networks.ts"
import { type ModelTask, TASKS_FIELD } from "../heads/model_task.ts"
import type { Model } from "../model.ts"
import { type ChangedBase, changedBase, checkChanges } from "./changed_base.ts"
import { checkFolders } from "../sites/adapters.ts"
import { Families, type Family } from "./families.ts"
import { ModelError } from "../model_error.ts"
import { backboneOf, baseKey, descendants, infoOf, placesOf } from "../module.ts"
import type { Network } from "../network.ts"
import { type TaskOptions, tasksIn } from "./load_options.ts"

/** What config and plugins say of a task of a model, by the names of its own network. */
export interface TaskDescription extends Omit<ModelTask, "tied" | "config"> {
  readonly config: ConfigReader
  /** Base parameters, tied ones under all their names. */
  readonly parameters: ReadonlyArray<Parameter>
  /** Keys of parameters whose shape follows from the size of the head. */
  readonly labelKeys: ReadonlySet<string>
  /** Keys of its parameters in the model, by its own. */
  readonly keys: ReadonlyMap<string, string>
}

/** What config and plugins say of a model, before its files are looked at. */
export interface Description {
  readonly directory: string
  readonly tasks: Readonly<Record<string, TaskDescription>>
  /** The `config.json`, with what plugins change in it. */
  readonly record: Model["config"]
  /** Names of tasks that heads were saved for. */
  readonly savedTasks: ReadonlyArray<string>
  readonly network: SharedNetwork
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly contributions: ReadonlyArray<Contribution>
  /** What plugins bring of the base. */
  readonly changed: ChangedBase
  /** Base parameters, tied ones under all their names. */
  readonly parameters: ReadonlyArray<Parameter>
  /** Ties that the config asks for. */
  readonly tied: Ties
  readonly seed: number
  /** Whether the base trains only where plugins say so. */
  readonly frozen: boolean
}

/** Reads a config with its family and the plugins. */
export function describe(
  given: ConfigReader,
  directory: string,
  options: TaskOptions & { readonly seed: number; readonly frozen?: boolean },
): Effect.Effect<Description, ModelError | PluginError | JsonError, Plugins | Families> {
  return Effect.gen(function* () {
    const tasks = yield* attempt(() => tasksIn(options), ModelError)
    const isNamed = options.tasks !== undefined
    const registered = yield* (yield* Plugins).all
    const contributions = yield* attempt(() => {
      const named = isNamed ? tasks : {}
      const all = registered.map((one) => one.resolve === undefined ? one : { ...one, ...one.resolve(named) })
      checkTasks(all, Object.keys(named))
      return all
    }, PluginError)
    const families: Record<string, Family> = {}
    for (const [name, task] of Object.entries(tasks)) {
      if (task.problem !== undefined) return yield* new ModelError({ reason: "Task", message: task.problem })
      families[name] = yield* familyOf(given, task)
    }
    const built = (fields: ChangedBase["fields"]) =>
      attempt(
        () => {
          const own = Object.entries(tasks).map(([name, task]): OwnNetwork => {
            const config = configFor(given, isNamed ? name : undefined, fields)
            return { name, task, family: families[name], config, network: families[name].build(config, task.head) }
          })
          return { own, ...treeOf(own, isNamed) }
        },
        ModelError,
        JsonError,
      )
    const plain = yield* built({})
    yield* checkFolders(contributions)
    const changed = yield* attempt(() => changedBase(plain.modules, plain.tied, contributions), PluginError)
    const { own, keys, modules, parameters, paths, tied, network } = Object.keys(changed.fields).length === 0
      ? plain
      : yield* built(changed.fields)
    const { checkFields } = yield* Effect.promise(() => import("../../formats/json/config_fields.ts"))
    const notes = [...network.notes]
    const described: Record<string, TaskDescription> = {}
    for (const { name, task, family, config, network } of own) {
      notes.push(...yield* attempt(() => checkFields(config, family.fields), JsonError, ModelError))
      const parameters = parametersOf(network)
      const labelKeys = yield* attempt(() => labelKeysOf(parameters, family, config, task.head), ModelError, JsonError)
      const where = isNamed ? { paths: paths[name] } : {}
      described[name] = { task, config, network, parameters, labelKeys, keys: keys[name], ...where }
    }
    yield* attempt(
      () => checkChanges(Object.values(described).flatMap(({ parameters }) => parameters), changed),
      PluginError,
    )
    const { record } = configFor(given, undefined, changed.fields)
    return {
      directory,
      tasks: described,
      record,
      savedTasks: Object.keys(given.record[TASKS_FIELD] ?? {}),
      network: { ...network, notes: [...new Set(notes)] },
      modules,
      contributions,
      changed,
      parameters,
      tied,
      seed: options.seed,
      frozen: options.frozen ?? false,
    }
  })
}

/** The network of a task, as its family built it. */
interface OwnNetwork {
  readonly name: string
  readonly task: TaskOf
  readonly family: Family
  readonly config: ConfigReader
  readonly network: Network
}

/** The config that a model of a task alone has, or one without a name. */
function configFor(given: ConfigReader, name: string | undefined, fields: ChangedBase["fields"]): ConfigReader {
  const { [TASKS_FIELD]: all = {}, ...record } = given.record
  const own = name === undefined ? {} : (all as Readonly<Record<string, object>>)[name] ?? {}
  return new ConfigReader(given.file, { ...record, ...own, ...fields })
}

/** The tree of all tasks, with where each task's names are in it. */
function treeOf(own: ReadonlyArray<OwnNetwork>, isNamed: boolean) {
  const networks = Object.fromEntries(own.map(({ name, network }) => [name, network]))
  const { network, paths } = isNamed ? joinNetworks(networks) : { network: own[0].network, paths: {} }
  const keys: Record<string, ReadonlyMap<string, string>> = {}
  const tied: Record<string, string> = {}
  const taskAt = new Map<string, string>(), transposed = new Set<string>()
  for (const { name, network } of own) {
    const inTree = (path: string) => isNamed ? paths[name].get(path)! : path
    for (const { key, module } of parametersOf(network)) {
      if (isTransposed(network.weights, key)) transposed.add(inTree(module))
    }
    keys[name] = new Map(parametersOf(network).map((one) => [one.key, baseKey(inTree(one.module), one.name)]))
    for (const [key, from] of Object.entries(tiesOf(network.weights))) {
      tied[keys[name].get(key)!] = keys[name].get(from)!
    }
    for (const [path, inModel] of paths[name] ?? []) if (inModel !== path) taskAt.set(inModel, name)
  }
  const modules = infosOf(network).map((info) => {
    const task = taskAt.get(info.path)
    return {
      ...info,
      ...(transposed.has(info.path) ? { transposed: true as const } : {}),
      ...(task === undefined ? {} : { task }),
    }
  })
  return { network, paths, keys, tied, modules, parameters: parametersOf(network) }
}

/** Throws {@link PluginError} where a plugin is for tasks that the model has not. */
function checkTasks(contributions: ReadonlyArray<Contribution>, names: ReadonlyArray<string>): void {
  for (const { id, tasks = [] } of contributions) {
    const unknown = tasks.find((task) => !names.includes(task))
    if (unknown === undefined) continue
    const message = `${id} is for the task ${JSON.stringify(unknown)}; the model has ` +
      (names.length === 0 ? "one task without a name" : JSON.stringify(names))
    throw new PluginError({ plugin: id, message })
  }
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
    const hasHead = family.heads?.includes(head.kind) ?? true
    if (hasHead && (head.kind !== "vocabulary" || head.attention === family.attention)) return family
    const why = hasHead && head.kind === "vocabulary"
      ? `, which needs ${head.attention} attention: its own is ${family.attention}`
      : ""
    const message = `${config.file}: a model of type "${type}" has no head for ${task.kind}${why}`
    return yield* new ModelError({ reason: "Task", message })
  })
}

function infosOf({ root, defaultTargets }: SharedNetwork): ReadonlyArray<ModuleInfo> {
  const nodes = descendants(root)
  const [backbone, places] = [backboneOf(nodes), placesOf(nodes)]
  return nodes.map((node) => infoOf(node, defaultTargets, backbone, places.get(node.path)))
}

/** Base parameters of a network in the tree's order. */
function parametersOf({ root }: SharedNetwork): ReadonlyArray<Parameter> {
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
