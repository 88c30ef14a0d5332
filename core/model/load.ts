/**
 * Making models: from a directory, or from a config alone.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import { Backend, type BackendService, type Slot } from "../backend/backend.ts"
import { BackendError } from "../backend/backend_error.ts"
import type { Contribution, NamedValues } from "../contracts/contribution.ts"
import type { ModuleInfo } from "../contracts/module_info.ts"
import type { Parameter } from "../contracts/parameter.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import { Plugins } from "../contracts/plugins.ts"
import { checkNames } from "../formats/check_names.ts"
import { readTensors } from "../formats/checkpoint.ts"
import { JsonError } from "../formats/json_error.ts"
import { ConfigReader, readModelConfig } from "../formats/model_config.ts"
import type { TensorEntry } from "../formats/safetensors_header.ts"
import type { StoredDType } from "../formats/stored_dtype.ts"
import type { SafetensorsError } from "../formats/safetensors_error.ts"
import type { StorageError } from "../formats/storage_error.ts"
import type { Storage } from "../tensor/dtype.ts"
import { firstOverflow } from "../tensor/half_floats.ts"
import * as ops from "../tensor/ops.ts"
import { type ChangedBase, changedBase, checkChanges, withChanges, writeChanges } from "./_changed_base.ts"
import { firstValues } from "./_first_values.ts"
import { positionsTaken } from "./_positions.ts"
import { makeScope } from "./_scope.ts"
import { artifactContext, checkFolders, checkValues, wantedOf, writeParameters } from "./adapters.ts"
import { Families, type Family } from "./families.ts"
import { initialValues } from "./initial_values.ts"
import type { Model, ModelParameter } from "./model.ts"
import { ModelError } from "./model_error.ts"
import { backboneOf, baseKey, descendants, infoOf } from "./module.ts"
import type { Network } from "./network.ts"
import { unmatched } from "./selector.ts"
import { type ResolvedSite, resolveSites, type SiteTable } from "./sites.ts"
import { labelsOf, type Task } from "./task.ts"

/** Options of {@link initialize}. */
export interface InitializeOptions {
  /** What the model is for. */
  readonly task: Task
  /** Seed of new parameters: a whole number from 0. Default 42. */
  readonly seed?: number
}
/** Options of {@link load}. */
export interface LoadOptions extends InitializeOptions {
  /**
   * What the base's frozen matrices (two and more axes) are kept in; all else, and all that trains, is f32. `"stored"`:
   * what the file has, so that one in bf16 or f16 takes half the memory and loses nothing. Else each is rounded to the
   * nearest; a number beyond the range of f16 is an error. Products and sums are f32 in any case. Default `"stored"`.
   */
  readonly weights?: "stored" | Storage
  /**
   * A classifier's head of the files: kept (`"stored"`; it must be for the task's labels), or left out so that one starts
   * `"new"`. What lies before it (a pooler) is kept in both cases. Default `"stored"`.
   */
  readonly head?: "stored" | "new"
}

/** What can go wrong while a model is made. */
export type LoadError = ModelError | PluginError | JsonError | StorageError | SafetensorsError | BackendError

/** Everything that is known before any memory is taken. */
interface Structure {
  readonly directory: string
  readonly task: Task
  readonly config: ConfigReader
  /** The config's content, where the files bear out another. */
  readonly record?: Model["config"]
  readonly network: Network
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly contributions: ReadonlyArray<Contribution>
  readonly sites: SiteTable
  /** What plugins bring of the base. */
  readonly changed: ChangedBase
  /** Base parameters, tied ones once. */
  readonly base: ReadonlyArray<Parameter>
  /** Keys of those whose shape follows from the number of labels. */
  readonly labelKeys: ReadonlySet<string>
  readonly seed: number
}

/**
 * Loads a model from a Hugging Face directory. Config, plugins, names and shapes are checked first; then memory is
 * taken and weights stream straight into it. The memory is freed with the scope.
 */
export function load(
  directory: string,
  options: LoadOptions,
): Effect.Effect<Model, LoadError, Backend | Plugins | Families | FileSystem.FileSystem | EffectScope.Scope> {
  return Effect.gen(function* () {
    const { weights = "stored", head = "stored" } = options
    if (!WEIGHTS.includes(weights)) {
      const message = `weights must be one of ${WEIGHTS.join(", ")}, got ${JSON.stringify(weights)}`
      return yield* new ModelError({ reason: "Weights", message })
    }
    const path = directory.length > 1 ? directory.replace(/\/+$/, "") : directory
    if (!HEADS.includes(head)) {
      const message = `head must be one of ${HEADS.join(", ")}, got ${JSON.stringify(head)}`
      return yield* new ModelError({ reason: "Task", message })
    }
    const config = yield* readModelConfig(path)
    const files = yield* Effect.promise(() => import("./stored_weights.ts"))
    yield* files.checkPlain(path, config.record)
    const first = yield* describe(config, path, options)
    const { changed } = first
    const found = yield* files.storedWeights({ ...first, config: first.config.record, head })
    const { tied, task, notes: told } = found
    const tensors = withChanges(found.tensors, changed)
    const network = { ...first.network, tied }
    const base = baseOf(network)
    // All ties that the config asks for are gone, so that what is saved of the model must not ask for them.
    const apart = Object.keys(first.network.tied).length > 0 && Object.keys(tied).length === 0
    const record = apart ? { ...first.config.record, tie_word_embeddings: false } : first.config.record
    const described = { ...first, task, network, base, record }
    const { missing, ignored } = yield* checkNames({
      expected: new Map(base.filter(({ key }) => !changed.weights.has(key)).map(({ key, shape }) => [key, shape])),
      found: tensors,
      file: path,
      ignore: [...files.STALE_BUFFERS, ...network.ignoredKeys, ...Object.keys(network.tied)],
      optional: [...newKeysOf(described)],
      vocabSize: network.vocabSize,
      ...savedAs(record, network),
    })
    const fresh = new Set(missing)
    const structure = yield* withNew(described, fresh)
    const buffers = yield* files.compareBuffers(network.buffers ?? {}, tensors, ignored)
    const initial = yield* initialArtifacts(structure, trainableOf(structure, fresh))
    const notes = [...told, ...buffers, ...newNotes(structure, fresh, initial)]
    const { backend, model } = yield* assemble(structure, fresh, notes, storageIn(tensors, weights))
    yield* fill(backend, model, structure.seed, initial, (parameter) => fresh.has(parameter.key))
    yield* tryBackendPromise(() => writeChanges(model.parameters, changed, (slot, data) => backend.write(slot, data)))
    const stored = new Map<TensorEntry, ModelParameter>()
    for (const parameter of model.parameters) {
      const entry = parameter.owner === "base" ? tensors.get(parameter.key) : undefined
      if (entry !== undefined) stored.set(entry, parameter)
    }
    yield* readTensors([...stored.keys()], async (entry, data, offset) => {
      const parameter = stored.get(entry)!
      checkRange(parameter, data)
      if (!initial.has(parameter.key)) await backend.write(parameter.slot, data, offset)
      if (parameter.original !== undefined) await backend.write(parameter.original.slot, data, offset)
    }).pipe(Effect.mapError((error) => error.cause instanceof ModelError ? error.cause : error))
    yield* writeParameters(model, yield* firstValues(model, structure.seed, initial))
    return model
  })
}

const HEADS: ReadonlyArray<string> = ["stored", "new"]
const WEIGHTS: ReadonlyArray<string> = ["stored", "f32", "bf16", "f16"]
const STORAGES: Readonly<Partial<Record<StoredDType, Storage>>> = { F16: "f16", BF16: "bf16" }

/** What a frozen parameter of the base is kept in. */
function storageIn(
  tensors: ReadonlyMap<string, TensorEntry>,
  weights: "stored" | Storage,
): (parameter: Parameter) => Storage {
  return ({ key, shape }) => {
    if (shape.length < 2) return "f32"
    if (weights !== "stored") return weights
    const entry = tensors.get(key)
    return entry === undefined ? "f32" : STORAGES[entry.dtype] ?? "f32"
  }
}

/** Throws where a finite weight would become infinite. */
function checkRange({ key, slot: { storage = "f32" } }: ModelParameter, data: Float32Array): void {
  const place = storage === "f32" ? -1 : firstOverflow(storage, data)
  if (place < 0) return
  const message = `"${key}" holds ${data[place]}, which ${storage} cannot; load the model with weights: ` +
    (storage === "f16" ? '"bf16" or "f32"' : '"f32"')
  throw new ModelError({ reason: "Weights", message })
}

/** Makes a model with new weights from the content of a `config.json`: for pretraining and comparisons. */
export function initialize(
  config: Readonly<Record<string, unknown>>,
  options: InitializeOptions,
): Effect.Effect<Model, LoadError, Backend | Plugins | Families | EffectScope.Scope> {
  return Effect.gen(function* () {
    const described = yield* describe(new ConfigReader("config", config), "", options)
    const fresh = newKeysOf(described)
    const structure = yield* withNew(described, fresh)
    const initial = yield* initialArtifacts(structure, trainableOf(structure, fresh))
    const { backend, model } = yield* assemble(structure, fresh, [], () => "f32")
    yield* fill(backend, model, structure.seed, initial, () => true)
    const { changed } = structure
    yield* tryBackendPromise(() => writeChanges(model.parameters, changed, (slot, data) => backend.write(slot, data)))
    yield* writeParameters(model, yield* firstValues(model, structure.seed, initial))
    return model
  })
}

function describe(
  given: ConfigReader,
  directory: string,
  { task, seed = 42 }: InitializeOptions,
): Effect.Effect<Structure, ModelError | PluginError | JsonError, Plugins | Families> {
  return Effect.gen(function* () {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      return yield* new ModelError({ reason: "Seed", message: `seed must be a whole number from 0, got ${seed}` })
    }
    const labels = labelsOf(task)
    if (labels !== undefined) {
      if (labels.length < 2 || new Set(labels).size < labels.length) {
        const message = `${task.kind} needs at least two different labels, got ${JSON.stringify(labels)}`
        return yield* new ModelError({ reason: "Task", message })
      }
    }
    const families = yield* (yield* Families).all
    const type = yield* given.decode((c) => c.string("model_type"))
    const family = families.get(type)
    if (family === undefined) {
      const known = families.size === 0 ? "no family is there: provide a layer" : [...families.keys()].sort().join(", ")
      const message = `${given.file}: unknown model_type "${type}"; known: ${known}`
      return yield* new ModelError({ reason: "UnknownModelType", message })
    }
    if (!family.tasks.includes(task.kind)) {
      const message = `${given.file}: a model of type "${type}" has no head for ${task.kind}; it has one for ${
        family.tasks.join(", ")
      }`
      return yield* new ModelError({ reason: "Task", message })
    }
    const plain = yield* attempt(() => family.build(given, task))
    const contributions = yield* (yield* Plugins).all
    yield* checkFolders(contributions)
    const infosOf = ({ root, defaultTargets }: Network) => {
      const nodes = descendants(root)
      const backbone = backboneOf(nodes)
      return nodes.map((node) => infoOf(node, defaultTargets, backbone))
    }
    const changed = yield* attempt(() => changedBase(given, infosOf(plain), plain.tied, contributions))
    const { config } = changed
    const whole = config === given ? plain : yield* attempt(() => family.build(config, task))
    const { checkFields } = yield* Effect.promise(() => import("../formats/config_fields.ts"))
    const built = { ...whole, notes: [...whole.notes, ...yield* attempt(() => checkFields(config, family.fields))] }
    const nodes = descendants(built.root)
    const modules = infosOf(built)
    const sites = yield* attempt(() => resolveSites(modules, contributions))
    const taken = positionsTaken(nodes, sites)
    if (taken >= built.maxPositions) {
      const message = `prefixes of ${taken} places leave no room in the model's ${built.maxPositions} positions`
      return yield* new PluginError({ plugin: "plugins", message })
    }
    const network = { ...built, maxPositions: built.maxPositions - taken }
    yield* attempt(() => checkTied(network, modules, contributions))
    const base = baseOf(network)
    yield* attempt(() => checkChanges(base, changed))
    const labelKeys = yield* attempt(() => labelKeysOf(base, family, config, task))
    return { directory, task, config, network, modules, contributions, sites, changed, base, labelKeys, seed }
  })
}

/** Base parameters of a network, tied ones once. */
function baseOf({ root, tied }: Network): ReadonlyArray<Parameter> {
  return [root, ...descendants(root)].flatMap(({ path, parameters }) =>
    Object.entries(parameters).map(([name, spec]): Parameter => {
      const key = baseKey(path, name)
      return { ...spec, key, module: path, name, owner: "base" }
    })
  ).filter(({ key }) => !Object.hasOwn(tied, key))
}

/** Keys of parameters that have another shape with one label more. */
function labelKeysOf(
  base: ReadonlyArray<Parameter>,
  family: Family,
  config: ConfigReader,
  task: Task,
): ReadonlySet<string> {
  if (!("labels" in task)) return new Set()
  const larger = baseOf(family.build(config, { ...task, labels: [...task.labels, "one more"] }))
  const shapes = new Map(larger.map(({ key, shape }) => [key, `${shape}`]))
  return new Set(base.filter(({ key, shape }) => shapes.get(key) !== `${shape}`).map(({ key }) => key))
}

/** Typed errors that plain functions throw become failures; anything else is a defect. */
function attempt<A>(run: () => A): Effect.Effect<A, ModelError | PluginError | JsonError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      const known = error instanceof ModelError || error instanceof PluginError || error instanceof JsonError
      return known ? Effect.fail(error) : Effect.die(error)
    }
  })
}

/** Keys of parameters that start anew where nothing is there for them. */
function newKeysOf({ network, base }: Structure): ReadonlySet<string> {
  return new Set(base.filter(({ module }) => network.newModules.includes(module)).map(({ key }) => key))
}

/** What is new belongs to the head: methods that adapt all else leave it alone. */
function withNew(
  structure: Structure,
  fresh: ReadonlySet<string>,
): Effect.Effect<Structure, ModelError | PluginError | JsonError> {
  const { base, contributions } = structure
  const isNew = ({ path }: ModuleInfo) => {
    const own = base.filter(({ module }) => module === path)
    return own.length > 0 && own.every(({ key }) => fresh.has(key))
  }
  const modules = structure.modules.map((module) => isNew(module) ? { ...module, outputHead: true } : module)
  return attempt(() => ({ ...structure, modules, sites: resolveSites(modules, contributions) }))
}

/** What a person should know of names that methods were given. */
function selectorNotes({ modules, contributions }: Structure): ReadonlyArray<string> {
  return contributions.flatMap(({ id, sites = [], notes }) => [
    ...sites.flatMap((site) => {
      const names = unmatched(modules, site.select)
      return names.length === 0 ? [] : [`${id}: no module is named ${names.join(" or ")}; the other names count`]
    }),
    ...(notes?.(modules) ?? []),
  ])
}

/** The class that a config names, where it is not that of the network. */
function savedAs({ architectures }: Model["config"], { architecture }: Network): { readonly savedAs?: string } {
  const [own] = Array.isArray(architectures) ? architectures as ReadonlyArray<unknown> : []
  return typeof own === "string" && own !== architecture ? { savedAs: own } : {}
}

/** What a person should know of parameters that the files lack. */
function newNotes(
  structure: Structure,
  fresh: ReadonlySet<string>,
  initial: ReadonlyMap<string, NamedValues>,
): ReadonlyArray<string> {
  const trains = trainableOf(structure, fresh)
  const all = structure.base.filter(({ key }) => fresh.has(key) && !initial.has(key))
  const list = (what: string, keys: ReadonlyArray<string>) =>
    keys.length === 0 ? [] : [`not in the files, so ${what}: ${keys.join(", ")}`]
  return [
    ...list("new and trained", all.filter(trains).map(({ key }) => key)),
    ...list("new", all.filter((parameter) => !trains(parameter)).map(({ key }) => key)),
  ]
}

/** Whether all base parameters train: no plugin changes the model or says what trains. */
function trainsWhole(contributions: ReadonlyArray<Contribution>): boolean {
  return !contributions.some(({ sites, trains }) => trains !== undefined || (sites ?? []).length > 0)
}

/** Which parameters train. */
function trainableOf(
  { contributions, modules, base, sites }: Structure,
  fresh: ReadonlySet<string>,
): (parameter: Parameter) => boolean {
  const whole = trainsWhole(contributions)
  // Beside methods a new module trains whole where it starts at random. Else it is the same wherever it starts anew, and
  // files of methods need not hold it.
  const random = new Set(
    base.filter(({ key, initializer, module }) =>
      fresh.has(key) && initializer.kind === "normal" &&
      !sites.byModule.get(module)?.some(({ plan }) => plan.place === "delta" && plan.instead)
    ).map(({ module }) => module),
  )
  const infos = new Map(modules.map((module) => [module.path, module]))
  return ({ owner, key, module, name, trainable = true }) => {
    if (owner !== "base") return trainable
    if (whole || (fresh.has(key) && random.has(module))) return true
    const info = infos.get(module)
    return info !== undefined && contributions.some(({ trains }) => trains?.(info, name) ?? false)
  }
}

/** A tied weight has two places; formats of methods know a trained weight at one, so it cannot train beside them. */
function checkTied(
  network: Network,
  modules: ReadonlyArray<ModuleInfo>,
  contributions: ReadonlyArray<Contribution>,
): void {
  const tied = new Set([...Object.keys(network.tied), ...Object.values(network.tied)])
  for (const { id, trains } of contributions) {
    for (const module of modules) {
      for (const name of Object.keys(module.parameters)) {
        const key = baseKey(module.path, name)
        if (!tied.has(key) || !trains?.(module, name)) continue
        const message = `${id}: "${key}" is tied to another weight and cannot be trained beside a method; ` +
          "leave it out, or untie the model's embeddings"
        throw new PluginError({ plugin: id, message })
      }
    }
  }
}

/** Values that plugins bring from an earlier run, by key. */
function initialArtifacts(
  structure: Structure,
  trainable: (parameter: Parameter) => boolean,
): Effect.Effect<ReadonlyMap<string, NamedValues>, PluginError> {
  return Effect.gen(function* () {
    const all = [...structure.base, ...structure.sites.parameters]
      .map((parameter) => ({ ...parameter, trainable: trainable(parameter) }))
    const values = new Map<string, NamedValues>()
    for (const contribution of structure.contributions) {
      const { id, artifacts } = contribution
      if (artifacts?.initial === undefined) continue
      const wanted = wantedOf(contribution, structure, all)
      const loaded = yield* artifacts.load(artifacts.initial, wanted, artifactContext(structure)).pipe(
        Effect.mapError((error) =>
          error instanceof PluginError ? error : new PluginError({ plugin: id, message: error.message })
        ),
      )
      yield* checkValues(id, wanted, loaded)
      for (const value of loaded) {
        const { key } = value.parameter
        const other = values.get(key)
        if (other !== undefined && value.data.some((number, i) => number !== other.data[i])) {
          const message = `${id} and another plugin bring different values for "${key}", which the model has once; ` +
            "load one of them, a model for each, or (heads) each as a module of the plugin's own"
          return yield* new PluginError({ plugin: id, message })
        }
        values.set(key, value)
      }
    }
    return values
  })
}

function assemble(
  structure: Structure,
  fresh: ReadonlySet<string>,
  notes: ReadonlyArray<string>,
  storageOf: (frozen: Parameter) => Storage,
): Effect.Effect<{ backend: BackendService; model: Model }, BackendError, Backend | EffectScope.Scope> {
  return Effect.gen(function* () {
    const { directory, task, config, network, modules, contributions, sites, base } = structure
    const backend = yield* Backend
    const scope = yield* Effect.scope
    const slots: Slot[] = []
    yield* Effect.addFinalizer(() => Effect.sync(() => slots.forEach((slot) => backend.free(slot))))
    const allocate = (name: string, shape: ReadonlyArray<number>, storage?: Storage) => {
      const slot = backend.allocate(name, shape, "f32", storage)
      slots.push(slot)
      return { slot, tensor: ops.slot(slot) }
    }
    const trains = trainableOf(structure, fresh)
    const keeps = !trainsWhole(contributions) || contributions.some(({ objective }) => objective !== undefined)
    const parameters = yield* tryBackend(() =>
      [...base, ...sites.parameters].map((parameter): ModelParameter => {
        const trainable = trains(parameter)
        const storage = trainable || parameter.owner !== "base" ? "f32" : storageOf(parameter)
        const memory = { ...parameter, trainable, ...allocate(parameter.key, parameter.shape, storage) }
        if (!keeps || !trainable || parameter.owner !== "base") return memory
        return { ...memory, original: allocate(`${parameter.key} as loaded`, parameter.shape) }
      })
    )
    const byKey = new Map(parameters.map((parameter) => [parameter.key, parameter]))
    const merged = new Set<string>()
    const off = new Set<string>()
    const infos = new Map(modules.map((module) => [module.path, module]))
    /** Whether nobody but plugins that are switched off trains a base parameter. */
    const isOff = ({ owner, module, name }: Parameter): boolean => {
      const info = infos.get(module)
      if (off.size === 0 || owner !== "base" || info === undefined) return false
      const trainers = contributions.filter(({ trains }) => trains?.(info, name))
      return trainers.length > 0 && trainers.every(({ id }) => off.has(id))
    }
    const model: Model = {
      directory,
      ...(structure.changed.companions === undefined ? {} : { companions: structure.changed.companions }),
      task,
      config: structure.record ?? config.record,
      modules,
      contributions,
      parameters,
      network,
      backend,
      scope,
      notes: [...network.notes, ...selectorNotes(structure), ...notes],
      merged,
      off,
      sites: sites.byModule,
      forward: (batch, { training, checkpointing = false, key, methods = true, decoding, choice }) => {
        const isOn = ({ owner }: ResolvedSite) => !merged.has(owner) && !off.has(owner)
        const scope = makeScope({
          training,
          checkpointing,
          key,
          decoding,
          choice,
          sitesAt: (path) => methods ? (sites.byModule.get(path) ?? []).filter(isOn) : [],
          tensor: (name, original) => {
            const parameter = byKey.get(network.tied[name] ?? name)
            if (parameter === undefined) throw new Error(`The model has no parameter "${name}"`)
            return original || !methods || isOff(parameter)
              ? parameter.original?.tensor ?? parameter.tensor
              : parameter.tensor
          },
        })
        return network.forward(scope, batch)
      },
    }
    return { backend, model }
  })
}

/** Writes first values: of plugins' parameters, of base ones that are new, and what earlier runs left. */
function fill(
  backend: BackendService,
  model: Model,
  seed: number,
  initial: ReadonlyMap<string, NamedValues>,
  isNew: (parameter: Parameter) => boolean,
): Effect.Effect<void, BackendError> {
  return tryBackendPromise(async () => {
    for (const parameter of model.parameters) {
      const { owner, key, slot, original } = parameter
      const given = initial.get(key)?.data
      const starts = (owner !== "base" || isNew(parameter)) && (given === undefined || original !== undefined)
      const made = starts ? initialValues(parameter, seed, key) : undefined
      const values = given ?? made
      if (values !== undefined) await backend.write(slot, values)
      if (original !== undefined && made !== undefined) await backend.write(original.slot, made)
    }
  })
}

function toBackendError(cause: unknown): BackendError {
  if (cause instanceof BackendError) return cause
  return new BackendError({ reason: "Run", message: cause instanceof Error ? cause.message : String(cause), cause })
}

function tryBackend<A>(run: () => A): Effect.Effect<A, BackendError> {
  return Effect.try({ try: run, catch: toBackendError })
}

function tryBackendPromise<A>(run: () => Promise<A>): Effect.Effect<A, BackendError> {
  return Effect.tryPromise({ try: run, catch: toBackendError })
}
