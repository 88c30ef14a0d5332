/**
 * What methods of virtual tokens contribute: sites, a head that trains, and PEFT's files.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../core/contracts/attempt.ts"
import type {
  ArtifactContext,
  ArtifactFiles,
  BaseModel,
  Contribution,
  NamedValues,
} from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import type { Site } from "../../../core/contracts/site.ts"
import type { DataError } from "../../../core/data/data_error.ts"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import type { Shape } from "../../../core/tensor/shape.ts"
import { HEADS, isHead, PeftError, peftTaskType } from "../../peft_names/mod.ts"
import type { FileTensor } from "../tensors.ts"
import type { PeftPromptConfig, PeftPromptFields, PromptType } from "./prompt_config.ts"
import { decodePrompt, encodePrompt } from "./prompt_files.ts"

/** Fields of a config that the model decides. */
export type ModelFields = Required<Pick<PeftPromptFields, "tokenDim" | "numAttentionHeads" | "numLayers">>

/** Fields of a config of rows before the embedded tokens. */
export function inputPrefixFields(modules: ReadonlyArray<ModuleInfo>): ModelFields {
  const sizesOf = (wanted: string) => modules.find(({ kind }) => kind === wanted)!.sizes
  return {
    tokenDim: sizesOf("Backbone").hiddenSize,
    numAttentionHeads: sizesOf("Attention").heads,
    // Of an encoder-decoder model PEFT counts the encoder's.
    numLayers: modules.filter(({ kind, side }) => kind === "Block" && side !== "decoder").length,
  }
}

type WithoutShared<Config> = Config extends unknown ? Omit<Config, keyof PeftPromptFields | "notes"> : never

/** A method of virtual tokens. */
export interface PromptMethod {
  readonly id: string
  /** Its options: what a resumed run must have the same. */
  readonly settings: object
  /** Name of the instance, and of its folder. */
  readonly name: string
  readonly numVirtualTokens: number
  readonly sites: ReadonlyArray<Site>
  /** Values of `peft_type` that can be read. */
  readonly types: ReadonlyArray<PromptType>
  readonly modelFields: (modules: ReadonlyArray<ModuleInfo>) => ModelFields
  /** Width of what comes before a sequence. */
  readonly width: (fields: ModelFields) => number
  /** The method's own fields of a config. */
  readonly config: (fields: ModelFields) => WithoutShared<PeftPromptConfig>
  /** Whether the tokens are trained through a network, whose tensors are saved beside what PEFT reads. */
  readonly encoder: boolean
  /** Names of its tasks by PEFT's ids. Default: it has one. */
  readonly tasks?: ReadonlyArray<string>
  /** Names of tensors beside the embeddings in PEFT's file. Default: none. */
  readonly beside?: ReadonlyArray<string>
  /** Shapes of PEFT's tensors by name. */
  readonly shapes: (own: ReadonlyArray<Parameter>) => ReadonlyMap<string, Shape>
  readonly toPeft: (own: ReadonlyArray<NamedValues>) => ReadonlyMap<string, FileTensor>
  readonly fromPeft: (
    tensors: ReadonlyMap<string, FileTensor>,
    own: ReadonlyArray<Parameter>,
  ) => ReadonlyArray<NamedValues>
  /** What comes before a sequence: [numVirtualTokens, width]. */
  readonly promptEmbeddings: (tensors: ReadonlyMap<string, FileTensor>) => FileTensor
  /** First values that need the base model. */
  readonly initialize?: (
    own: ReadonlyArray<Parameter>,
    base: BaseModel,
  ) => Effect.Effect<ReadonlyArray<NamedValues>, Error | DataError, FileSystem.FileSystem>
}

/** A saved instance: its files, and what a person should know of them. */
export interface SavedPrompt {
  readonly files: ArtifactFiles
  readonly notes?: ReadonlyArray<string>
}

/** The contribution of a method; `saved` gives its first values. */
export function promptContribution(
  method: PromptMethod,
  saved?: SavedPrompt,
): Effect.Effect<Contribution, never, FileSystem.FileSystem> {
  return Effect.map(Effect.service(fileSystem), (fs) => ({ id: method.id, ...partsOf(method, fs, saved) }))
}

/** The contribution of a method that follows from the tasks of the model, which `methodFor` may refuse. */
export function promptContributionFor(
  id: string,
  methodFor: (...tasks: Parameters<NonNullable<Contribution["resolve"]>>) => PromptMethod,
  saved?: SavedPrompt,
): Effect.Effect<Contribution, never, FileSystem.FileSystem> {
  return Effect.map(Effect.service(fileSystem), (fs) => ({
    id,
    resolve: (tasks) => partsOf(methodFor(tasks), fs, saved),
  }))
}

/** What a method adds to a model. */
function partsOf(
  method: PromptMethod,
  fs: FileSystem.FileSystem,
  saved?: SavedPrompt,
): ReturnType<NonNullable<Contribution["resolve"]>> {
  const { settings, sites, initialize } = method
  const { files, notes } = saved ?? {}
  return {
    settings,
    sites,
    trains: isHead,
    ...(notes === undefined ? {} : { notes: () => notes }),
    ...(initialize === undefined ? {} : {
      initialize: (own, base) => Effect.provideService(initialize(own, base), fileSystem, fs),
    }),
    artifacts: {
      ...(files === undefined ? {} : { initial: files }),
      save: (values, context) => attempt(() => save(method, values, context), PeftError),
      load: (files, wanted, { modules }) => attempt(() => load(method, files, wanted, modules), PeftError),
    },
  }
}

function save(method: PromptMethod, values: ReadonlyArray<NamedValues>, context: ArtifactContext): ArtifactFiles {
  const { id, name, numVirtualTokens, beside, encoder } = method
  const tensors = method.toPeft(values.filter(({ parameter }) => parameter.owner === id))
  const base = values.filter(({ parameter }) => parameter.owner === "base")
  const fields = method.modelFields(context.modules)
  const taskType = peftTaskType(context.head)
  const classifies = taskType === "SEQ_CLS" || taskType === "TOKEN_CLS"
  const config = {
    ...(taskType === undefined ? {} : { taskType }),
    ...fields,
    baseModel: context.baseModel,
    numVirtualTokens,
    modulesToSave: outermost([...base.map(({ parameter }) => parameter.module), ...(classifies ? HEADS : [])]),
    ...method.config(fields),
  }
  return encodePrompt(name, config, {
    promptEmbeddings: method.promptEmbeddings(tensors),
    ...(beside === undefined ? {} : { beside: new Map(beside.map((name) => [name, tensors.get(name)!])) }),
    base,
    ...(encoder ? { encoder: tensors } : {}),
  })
}

/** Names without those of modules within another one: PEFT saves these with it, and would wrap them twice. */
function outermost(names: ReadonlyArray<string>): ReadonlyArray<string> {
  return [...new Set(names)].filter((name) => !names.some((other) => name.startsWith(`${other}.`)))
}

/** Values from files, if they belong to these options and this model. */
function load(
  method: PromptMethod,
  files: ArtifactFiles,
  wanted: ReadonlyArray<Parameter>,
  modules: ReadonlyArray<ModuleInfo>,
): ReadonlyArray<NamedValues> {
  const { id, name, types, numVirtualTokens, beside } = method
  const own = wanted.filter(({ owner }) => owner === id)
  const fields = method.modelFields(modules)
  const shapes = method.shapes(own)
  const found = decodePrompt(name, files, {
    id,
    types,
    fields,
    shape: [numVirtualTokens, method.width(fields)],
    isOfTwoParts: modules.some(({ side }) => side !== undefined),
    ...(method.tasks === undefined ? {} : { tasks: method.tasks }),
    base: wanted.filter(({ owner }) => owner === "base"),
    ...(beside === undefined ? {} : { beside: new Map(beside.map((name) => [name, shapes.get(name)!])) }),
    ...(method.encoder ? { encoder: shapes } : {}),
  })
  const tensors = found.encoder ?? new Map([["embedding.weight", found.promptEmbeddings], ...found.beside ?? []])
  return [...method.fromPeft(tensors, own), ...found.base]
}
