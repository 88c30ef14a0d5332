import { attempt } from "../../core/contracts/attempt.ts"
import type { ArtifactContext, ArtifactFiles, Contribution, NamedValues } from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { isHead } from "../peft_names/mod.ts"
import { ACTIVATIONS } from "./activations.ts"
import { AdapterHubError } from "./adapter_hub_error.ts"
import { hiddenSizeOf } from "./bottleneck.ts"
import { type Composition, fusionsOf, membersOf } from "./composition.ts"
import { regularize } from "./fusion.ts"
import {
  decodeAdapterConfig,
  decodeFusionConfig,
  encodeAdapterConfig,
  encodeFusionConfig,
  encodeHeadConfig,
  encodeSetup,
  FILES,
  type HubModel,
} from "./hub_config.ts"
import { bytesOf, decodeParameters, encodeParameters, hubNames } from "./hub_weights.ts"
import type { ResolvedAdapter } from "./options.ts"
import { checkComposition, type ResolvedMember, sitesOf } from "./sites.ts"

/** A saved adapter of a composition: its files, and the name in them. */
export interface MemberFiles {
  readonly files: ArtifactFiles
  readonly directory: string
  readonly storedName: string
  /** Width of the model that it was trained for, if the file says. */
  readonly hiddenSize?: number
}

export interface MethodOptions {
  readonly name: string
  readonly composition: Composition<ResolvedMember>
  /** Files of saved members, by name. */
  readonly saved: ReadonlyMap<string, MemberFiles>
  /** Files of an earlier run of the whole method, under their present names. */
  readonly initial?: ArtifactFiles
  /** Whether those files include the trained base parameters. Default true. */
  readonly withHead?: boolean
}

/** The contribution of adapters. Throws {@link PluginError} on a composition that cannot work. */
export function contributionOf(method: MethodOptions): Contribution {
  const { name, composition, saved, initial, withHead = true } = method
  const id = `adapters/${name}`
  checkComposition(composition, id)
  const regularized = fusionsOf(composition).filter(({ regularization }) => regularization)
  return {
    id,
    settings: { composition },
    sites: sitesOf(composition, id).map((site) => ({
      ...site,
      plan: (module) => {
        checkWidths(id, saved, module)
        return site.plan(module)
      },
    })),
    trains: (module, _, modules) => isHead(module) || isBesideHead(module, modules),
    // The term depends on parameters only.
    requires: { paddedRows: false },
    ...(regularized.length === 0 ? {} : { objective: { wrap: regularize(regularized) } }),
    initialize: (own, { modules }) =>
      attempt(
        () =>
          initial === undefined
            ? valuesOfMembers(composition, saved, own, modules)
            : load(method, initial, own, modules),
        AdapterHubError,
      ),
    artifacts: {
      ...(initial === undefined || !withHead ? {} : { initial }),
      save: (values, context) => attempt(() => save(method, values, context), AdapterHubError),
      load: (files, wanted, context) => attempt(() => load(method, files, wanted, context.modules), AdapterHubError),
    },
  }
}

/** Whether a module is of a classifier outside of the backbone, which alone AdapterHub freezes. */
function isBesideHead({ path, backbone, task }: ModuleInfo, modules: ReadonlyArray<ModuleInfo>): boolean {
  return backbone !== undefined && path !== backbone.path && !path.startsWith(`${backbone.path}.`) &&
    modules.some((module) => module.task === task && isHead(module))
}

/** Throws on a saved adapter of another width, before weights are read. */
function checkWidths(id: string, saved: MethodOptions["saved"], module: ModuleInfo): void {
  const width = hiddenSizeOf(module)
  for (const [name, { hiddenSize = width, directory }] of saved) {
    if (hiddenSize === width) continue
    throw pluginError(
      id,
      `"${name}" of ${directory} was trained for a model of hidden size ${hiddenSize}, ` +
        `"${module.path}" has ${width}`,
    )
  }
}

const adaptersGroup = (name: string): string => `adapters.${name}`
const fusionGroup = (name: string): string => `adapter_fusion_layer.${name}`

function valuesOfMembers(
  composition: Composition<ResolvedMember>,
  saved: ReadonlyMap<string, MemberFiles>,
  own: ReadonlyArray<Parameter>,
  modules: ReadonlyArray<ModuleInfo>,
): ReadonlyArray<NamedValues> {
  return membersOf(composition).flatMap(({ name, prefix }) => {
    const member = saved.get(name)
    if (member === undefined) return []
    const names = hubNames(own, modules, prefix, adaptersGroup(member.storedName))
    const at = (file: string) => `${member.directory}/${file}`
    return decodeParameters(member.files, at(FILES.weights), at(FILES.pickle), names)
  })
}

/** Folder of each part's files: a single adapter is stored with its head, one in a setup in its own folder. */
function folders({ name, composition }: MethodOptions): {
  readonly root: string
  readonly folder: (part: string) => string
} {
  const root = `adapters/${name}`
  return { root, folder: (part) => composition.type === "single" ? root : `${root}/${part}` }
}

function save(method: MethodOptions, values: ReadonlyArray<NamedValues>, context: ArtifactContext): ArtifactFiles {
  const { composition } = method
  const { root, folder } = folders(method)
  const files: Record<string, Uint8Array> = {}
  const parameters = values.map(({ parameter }) => parameter)
  const model: HubModel = {
    hiddenSize: hiddenSizeOf(context.modules.find(({ residual }) => residual !== undefined)!),
    architecture: context.architecture,
    baseModel: context.baseModel,
  }
  for (const member of membersOf(composition)) {
    const names = hubNames(parameters, context.modules, member.prefix, adaptersGroup(member.name))
    files[`${folder(member.name)}/${FILES.config}`] = encodeAdapterConfig(member, model)
    files[`${folder(member.name)}/${FILES.weights}`] = encodeParameters(names, values)
  }
  for (const fusion of fusionsOf(composition)) {
    const names = hubNames(parameters, context.modules, `${fusion.name}.`, fusionGroup(fusion.name))
    files[`${folder(fusion.name)}/${FILES.fusionConfig}`] = encodeFusionConfig(fusion, model)
    files[`${folder(fusion.name)}/${FILES.fusionWeights}`] = encodeParameters(names, values)
  }
  if (composition.type !== "single") files[`${root}/${FILES.setup}`] = encodeSetup(composition)
  const head = headOf(parameters)
  if (head.size > 0) {
    files[`${root}/${FILES.headConfig}`] = encodeHeadConfig(model)
    files[`${root}/${FILES.headWeights}`] = encodeParameters(head, values)
  }
  return files
}

/** The trained base parameters, under AdapterHub's names for a head. */
function headOf(parameters: ReadonlyArray<Parameter>): ReadonlyMap<string, Parameter> {
  return new Map(parameters.filter(({ owner }) => owner === "base").map((parameter) => [parameter.key, parameter]))
}

/** Values from files. Throws if they belong to other adapters. */
function load(
  method: MethodOptions,
  files: ArtifactFiles,
  wanted: ReadonlyArray<Parameter>,
  modules: ReadonlyArray<ModuleInfo>,
): ReadonlyArray<NamedValues> {
  const { composition } = method
  const { root, folder } = folders(method)
  const values: NamedValues[] = []
  for (const member of membersOf(composition)) {
    const at = (file: string) => `${folder(member.name)}/${file}`
    const config = decodeAdapterConfig(bytesOf(files, at(FILES.config)), at(FILES.config))
    checkSame(config.adapter, member, at(FILES.config))
    const names = hubNames(wanted, modules, member.prefix, adaptersGroup(config.adapter.name))
    values.push(...decodeParameters(files, at(FILES.weights), at(FILES.pickle), names))
  }
  for (const fusion of fusionsOf(composition)) {
    const at = (file: string) => `${folder(fusion.name)}/${file}`
    const config = decodeFusionConfig(bytesOf(files, at(FILES.fusionConfig)), at(FILES.fusionConfig))
    const names = hubNames(wanted, modules, `${fusion.name}.`, fusionGroup(config.name))
    values.push(...decodeParameters(files, at(FILES.fusionWeights), at(FILES.fusionPickle), names))
  }
  const head = headOf(wanted)
  if (head.size > 0) {
    values.push(...decodeParameters(files, `${root}/${FILES.headWeights}`, `${root}/${FILES.headPickle}`, head))
  }
  return values
}

/** Options that a shape check would not catch. */
const UNCHECKED_BY_SHAPE = [
  "originalLnBefore",
  "originalLnAfter",
  "residualBeforeLn",
  "adapterResidualBeforeLn",
  "isParallel",
  "scaling",
] as const satisfies ReadonlyArray<keyof ResolvedAdapter>

function checkSame(theirs: ResolvedAdapter, ours: ResolvedMember, file: string): void {
  const field = ACTIVATIONS[theirs.nonLinearity] === ACTIVATIONS[ours.nonLinearity]
    ? UNCHECKED_BY_SHAPE.find((field) => theirs[field] !== ours[field])
    : "nonLinearity"
  if (field === undefined) return
  const message = `${file}: ${field} is ${JSON.stringify(theirs[field])}, the adapter "${ours.name}" has ` +
    JSON.stringify(ours[field])
  throw new AdapterHubError({ reason: "Mismatch", file, message })
}
