/**
 * Bottleneck adapters (Houlsby et al. 2019; Pfeiffer et al. 2020; He et al. 2021) and AdapterFusion, with AdapterHub's
 * fields, in AdapterHub's files.
 *
 * ```ts
 * import * as Adapters from "@espalier/espalier/adapters"
 *
 * const sequential = Adapters.layer({ config: "seq_bn", reductionFactor: 8 })
 *
 * // Attends to two trained adapters at each token; only the fusion trains.
 * const fused = Adapters.compose(Adapters.fuse([{ directory: "./news" }, { directory: "./reviews" }]))
 * ```
 *
 * Adapters of two layers need different names; they apply in the order of their names.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import type { ArtifactFiles, Contribution } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { collection, plugin, type Plugins } from "../../core/contracts/plugins.ts"
import { readFiles } from "../../core/model/save/read_files.ts"
import * as field from "../../core/options/fields.ts"
import { checkOptions } from "../../core/options/method_options.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import { AdapterHubError } from "./adapter_hub_error.ts"
import {
  type AdapterSetup,
  type Composition,
  fusionsOf,
  mapFusions,
  mapMembers,
  type Member,
  membersOf,
  resolveSetup,
} from "./composition.ts"
import { contributionOf, type MemberFiles, type MethodOptions } from "./contribution.ts"
import { decodeAdapterConfig, decodeFusionConfig, decodeSetup, FILES, type HubAdapter } from "./hub_config.ts"
import { bytesOf } from "./hub_weights.ts"
import { adapterName, type AdapterOptions, OPTIONS, resolveAdapter, type ResolvedAdapter } from "./options.ts"
import type { ResolvedMember } from "./sites.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { AdapterHubError, type AdapterHubErrorFields } from "./adapter_hub_error.ts"
export {
  type AdapterSetup,
  average,
  type AverageSetup,
  type Composition,
  fuse,
  type FuseSetup,
  type FusionOptions,
  type Member,
  type ResolvedFusion,
  type SavedAdapter,
  stack,
  type StackSetup,
} from "./composition.ts"
export type { AdapterConfigName, AdapterOptions, ResolvedAdapter } from "./options.ts"
export { SoupError, type SoupErrorFields } from "../../core/weights/average/soup_error.ts"
export type { AveragedTensor, SoupReport } from "../../core/weights/average/average_tensors.ts"
export type { ResolvedMember } from "./sites.ts"
export { soup, type SoupOptions } from "./soup.ts"

/** The adapters of a program. */
export interface AdaptersService {
  /** All methods by name, with their composition. */
  readonly adapters: Effect.Effect<ReadonlyMap<string, Composition<ResolvedMember>>, PluginError>
}

/** Type of the service's key. */
export interface Adapters {
  /** Identifier. */
  readonly "~espalier/Adapters": "~espalier/Adapters"
}
/** Key of the service. Every layer provides the same collection, so merging layers loses none. */
export const Adapters: Context.Service<Adapters, AdaptersService> = Context.Service<Adapters, AdaptersService>(
  "@espalier/espalier/Adapters",
)

/** An adapter. The plugin's id is `adapters/<name>`. Fails with {@link PluginError} on invalid options. */
export function layer(options: AdapterOptions = {}): Layer.Layer<Adapters, PluginError, Plugins> {
  return plugin(
    Adapters,
    provide(() => {
      const adapter = resolveAdapter(options, `adapters/${options.name ?? "default"}`)
      const { trainable = true } = options
      return { name: adapter.name, composition: alone({ ...adapter, trainable }), saved: new Map() }
    }),
  )
}

/** Options of {@link compose}. */
export interface ComposeOptions {
  /** Name of the method; the plugin's id is `adapters/<name>`. Default `"default"`. */
  readonly name?: string
}

/**
 * Several adapters, new or saved, as {@link stack}, {@link average} or {@link fuse} puts them together. Saved ones start
 * with their weights, not with their heads. Fails before any weight of the base model is read when a setup makes no
 * sense, a file is not what it must be or was made for another width.
 */
export function compose(
  setup: AdapterSetup,
  { name = "default" }: ComposeOptions = {},
): Layer.Layer<Adapters, PluginError | AdapterHubError | StorageError, Plugins | FileSystem.FileSystem> {
  const id = `adapters/${name}`
  return plugin(
    Adapters,
    Effect.gen(function* () {
      yield* checkName(name, id)
      const blocks = yield* attempt(() => resolveSetup(setup, id), PluginError)
      const saved = new Map<string, MemberFiles>()
      const resolved = new Map<Member, ResolvedMember>()
      const fuses = fusionsOf(blocks).length > 0
      for (const member of membersOf(blocks)) {
        if (!("directory" in member)) {
          const adapter = yield* attempt(() => resolveAdapter(member, id), PluginError)
          resolved.set(member, inSetup(adapter, member.trainable ?? !fuses))
          continue
        }
        const { directory, trainable = !fuses } = member
        yield* attempt(() => checkOptions(id, SAVED, member), PluginError)
        const files = yield* filesIn(directory)
        const { adapter, ...stored } = yield* attempt(() => readAdapter(files, directory), AdapterHubError)
        const own = inSetup({ ...adapter, name: member.name ?? adapter.name }, trainable)
        yield* checkName(own.name, id)
        resolved.set(member, own)
        saved.set(own.name, { files, directory, storedName: adapter.name, ...stored })
      }
      const composition = mapMembers(blocks, (member) => resolved.get(member)!)
      return yield* provide(() => ({ name, composition, saved }))
    }),
  )
}

/** Options of {@link fromAdapterHub}. */
export interface FromAdapterHubOptions {
  /** The plugin's id becomes `adapters/<name>`. Default: the adapter's name in the file; of a setup `"default"`. */
  readonly name?: string
  /** Whether to read a saved head. Default true. */
  readonly withHead?: boolean
}

/**
 * An adapter, or a whole setup, that AdapterHub's package or {@link layer} and {@link compose} saved, to go on with: its
 * configs give the options, its weights are the first values. Fails before any weight of the base model is read where
 * the files are not what they must be.
 *
 * @param directory of `adapter_config.json` or of `adapter_setup.json`.
 */
export function fromAdapterHub(
  directory: string,
  { name, withHead = true }: FromAdapterHubOptions = {},
): Layer.Layer<Adapters, PluginError | AdapterHubError | StorageError, Plugins | FileSystem.FileSystem> {
  return plugin(
    Adapters,
    Effect.gen(function* () {
      const files = yield* filesIn(directory)
      const read = yield* attempt((): Composition<ResolvedMember> => {
        if (files[`${directory}/${FILES.setup}`] !== undefined) return readSetup(files, directory)
        return alone({ ...readAdapter(files, directory).adapter, trainable: true })
      }, AdapterHubError)
      const own = name ?? (read.type === "single" ? read.member.name : "default")
      yield* checkName(own, `adapters/${own}`)
      const head = [FILES.headWeights, FILES.headPickle].some((file) => files[`${directory}/${file}`] !== undefined)
      const initial = Object.fromEntries(
        Object.entries(files).map(([path, bytes]) => [`adapters/${own}${path.slice(directory.length)}`, bytes]),
      )
      const composition = read.type === "single" ? alone({ ...read.member, name: own }) : read
      // Without a head, the head stays as in the base model.
      return yield* provide(() => ({ name: own, composition, saved: new Map(), initial, withHead: withHead && head }))
    }),
  )
}

/** Options of a {@link SavedAdapter}. */
const SAVED = { directory: field.text({ required: true }), name: adapterName, trainable: OPTIONS.trainable }

const collect = collection<Composition<ResolvedMember>>()

function provide(
  make: () => MethodOptions,
): Effect.Effect<readonly [AdaptersService, Contribution], PluginError, Plugins> {
  return Effect.gen(function* () {
    const [{ name, composition }, contribution] = yield* attempt(() => {
      const method = make()
      return [method, contributionOf(method)] as const
    }, PluginError)
    return [{ adapters: yield* collect(contribution, name, composition) }, contribution] as const
  })
}

function alone(adapter: Omit<ResolvedMember, "prefix">): Composition<ResolvedMember> {
  return { type: "single", member: { ...adapter, prefix: "" } }
}

function inSetup(adapter: ResolvedAdapter, trainable: boolean): ResolvedMember {
  return { ...adapter, prefix: `${adapter.name}.`, trainable }
}

/** All files of a directory, by their whole path. */
function filesIn(directory: string): Effect.Effect<ArtifactFiles, StorageError, FileSystem.FileSystem> {
  return Effect.map(
    readFiles(directory),
    (files) => Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${directory}/${name}`, bytes])),
  )
}

/** The config of an adapter; its weights must exist too. */
function readAdapter(files: ArtifactFiles, directory: string): HubAdapter {
  const at = (file: string) => `${directory}/${file}`
  const read = decodeAdapterConfig(bytesOf(files, at(FILES.config)), at(FILES.config))
  bytesOf(files, at(FILES.weights), at(FILES.pickle))
  return read
}

function readSetup(files: ArtifactFiles, directory: string): Composition<ResolvedMember> {
  const setup = decodeSetup(files[`${directory}/${FILES.setup}`], `${directory}/${FILES.setup}`)
  const fuses = fusionsOf(setup).length > 0
  const read = (name: string): ResolvedMember =>
    inSetup({ ...readAdapter(files, `${directory}/${name}`).adapter, name }, !fuses)
  return mapFusions(mapMembers(setup, read), ({ name }) => {
    const at = (file: string) => `${directory}/${name}/${file}`
    const read = decodeFusionConfig(bytesOf(files, at(FILES.fusionConfig)), at(FILES.fusionConfig))
    bytesOf(files, at(FILES.fusionWeights), at(FILES.fusionPickle))
    return { ...read, name }
  })
}

function checkName(name: string, plugin: string): Effect.Effect<void, PluginError> {
  return attempt(() => checkOptions(plugin, { name: adapterName }, { name }), PluginError)
}
export { OPTIONS as options } from "./options.ts"
