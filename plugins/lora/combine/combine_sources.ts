/**
 * Adapters to be combined: from their files, or out of a model in memory.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import type { ArtifactFiles, NamedValues } from "../../../core/contracts/contribution.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import type { StorageError } from "../../../core/formats/files/storage_error.ts"
import { artifactContext, belongsTo } from "../../../core/model/sites/adapters.ts"
import { type Model, readParameters } from "../../../core/model/mod.ts"
import { CombineError } from "../../../core/weights/combine/combine_error.ts"
import type { Matrix } from "../../../core/weights/combine/decompose.ts"
import type { Term } from "../../../core/weights/combine/low_rank.ts"
import { decodeAllWeights, decodeLoraConfig, type PeftLoraConfig, readAdapter } from "../../peft_format/mod.ts"
import { adapterFile, CONFIG_FILE, PeftError, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import { grouped } from "../grouped.ts"
import { A, B, EMBEDDING_A, EMBEDDING_B } from "../low_rank.ts"
import { rankAndScale } from "../targets.ts"

/** An adapter and its weight. */
export type AdapterSource =
  & {
    /** Its name: its folder's within `path` unless `"default"`. Default `"default"`. */
    readonly name?: string
    /** Factor of its update; may be negative. Default 1. */
    readonly weight?: number
  }
  & (
    | {
      /** Directory of its files, PEFT's or some from here. */
      readonly path: string
    }
    | {
      /** The model that has it in memory. */
      readonly model: Model
    }
  )

export interface OpenedAdapter {
  readonly label: string
  readonly weight: number
  readonly config: PeftLoraConfig
  /** Its update of each adapted weight, by the module's path. Of an Embedding the matrix is the table's transpose. */
  readonly updates: ReadonlyMap<string, Term & { readonly embedding: boolean }>
  /** Base parameters that trained beside it. */
  readonly saved: ReadonlyArray<NamedValues>
}

export function openAdapter(source: AdapterSource): Effect.Effect<
  OpenedAdapter,
  CombineError | PeftError | StorageError | PluginError | BackendError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const { name = "default", weight = 1 } = source
    const saved = "path" in source
    const files = saved ? yield* readAdapter(source.path, name) : yield* saveFrom(source.model, name)
    const label = !saved ? `lora/${name}` : name === "default" ? source.path : `${source.path}/${name}`
    return yield* Effect.suspend(() => {
      try {
        return Effect.succeed(open(label, weight, name, files))
      } catch (error) {
        return error instanceof CombineError || error instanceof PeftError ? Effect.fail(error) : Effect.die(error)
      }
    })
  })
}

/** The files that saving would write: what starts from the base weight is a plain adapter there. */
function saveFrom(model: Model, name: string): Effect.Effect<ArtifactFiles, PluginError | BackendError> {
  const id = `lora/${name}`
  return Effect.gen(function* () {
    const contribution = model.contributions.find((each) => each.id === id)
    if (contribution?.artifacts === undefined) {
      return yield* new PluginError({ plugin: id, message: `the model has no adapter "${id}"` })
    }
    const own = model.parameters.filter(belongsTo(contribution, model))
    const toPluginError = (error: Error) => new PluginError({ plugin: id, message: error.message })
    return yield* contribution.artifacts.save(yield* readParameters(model, own), artifactContext(model)).pipe(
      Effect.mapError(toPluginError),
    )
  })
}

function open(label: string, weight: number, name: string, files: ArtifactFiles): OpenedAdapter {
  const [configFile, weightsFile] = [CONFIG_FILE, WEIGHTS_FILE].map((file) => adapterFile(name, file))
  const config = decodeLoraConfig(new TextDecoder().decode(files[configFile]), `${label}: ${configFile}`)
  const { initLoraWeights, useDora, useQalora } = config
  const unsupported = (message: string) => new CombineError({ reason: "Unsupported", message: `${label}: ${message}` })
  if (useDora) {
    throw unsupported(
      "DoRA's update rests on the base weights; merge it into them (saveMerged), and average checkpoints",
    )
  }
  if (useQalora) throw unsupported("its A reads groups of inputs (use_qalora); merge it into a model (Model.merge)")
  if (initLoraWeights === "pissa" || initLoraWeights === "olora" || initLoraWeights === "loftq") {
    throw unsupported(
      `its numbers count from a base weight that "${initLoraWeights}" changed; load and save it here, which makes it plain`,
    )
  }
  const values = decodeAllWeights(files[weightsFile], "adapter", `${label}: ${weightsFile}`)
  for (const { parameter: { module, key }, data } of values) {
    if (data.every(Number.isFinite)) continue
    throw new CombineError({
      reason: "Mismatch",
      module,
      message: `${label}: "${key}" holds numbers that are not finite`,
    })
  }
  const modules = grouped(values.filter(({ parameter }) => parameter.owner !== "base"), (v) => v.parameter.module)
  const updates = new Map([...modules].map(([module, own]) => [module, updateOf(label, weight, config, module, own)]))
  return { label, weight, config, updates, saved: values.filter(({ parameter }) => parameter.owner === "base") }
}

function updateOf(
  label: string,
  weight: number,
  config: PeftLoraConfig,
  module: string,
  values: ReadonlyArray<NamedValues>,
): Term & { readonly embedding: boolean } {
  const shapes = values.map(({ parameter: { name, shape } }) => `${name} [${shape}]`).sort().join(", ")
  const matrix = (name: string): Matrix | undefined => {
    const found = values.find(({ parameter }) => parameter.name === name)
    if (found?.parameter.shape.length !== 2) return undefined
    const [rows, columns] = found.parameter.shape
    return { rows, columns, data: Float64Array.from(found.data) }
  }
  const embedding = values.some(({ parameter }) => parameter.name === EMBEDDING_A)
  const a = matrix(embedding ? EMBEDDING_A : A)
  const b = matrix(embedding ? EMBEDDING_B : B)
  const { r, scale } = rankAndScale(config, { path: module })
  if (values.length === 2 && a?.rows === r && b?.columns === r) return { a, b, scale, weight, embedding }
  const message = `${label}: "${module}" has ${shapes}; wanted is a pair of matrices A [${r}, ...] and B [..., ${r}]`
  throw new CombineError({ reason: "Mismatch", module, message })
}
