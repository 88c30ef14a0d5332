/**
 * Files of methods that put virtual tokens before a sequence. PEFT saves what comes out of a network that reparameterizes
 * them, and not the network; it is written beside, where PEFT does not look, so that training can go on.
 * @module
 */
import type { ArtifactFiles, NamedValues } from "../../../core/contracts/contribution.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import { type Shape, sizeOf } from "../../../core/tensor/shape.ts"
import { peftName } from "../lora/stored_names.ts"
import { adapterFile, CONFIG_FILE, HEADS, PeftError, peftError, PREFIX, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import {
  decodePromptConfig,
  encodePromptConfig,
  type PeftPromptConfig,
  type PeftPromptFields,
  type PromptType,
  SEQ2SEQ,
} from "./prompt_config.ts"
import {
  checkTensors,
  decodeTensors,
  type Differences,
  differences,
  encodeTensors,
  type FileTensor,
  openTensors,
  type StoredTensors,
} from "../tensors.ts"

export const ENCODER_FILE: string = "prompt_encoder.safetensors"

const EMBEDDINGS = "prompt_embeddings"

export interface PromptValues {
  /** What comes before a sequence: [numVirtualTokens, width]. */
  readonly promptEmbeddings: FileTensor
  /** Other tensors of the method beside it in PEFT's file, by name. */
  readonly beside?: ReadonlyMap<string, FileTensor>
  /** The network's tensors by PEFT's names, where there is one. */
  readonly encoder?: ReadonlyMap<string, FileTensor>
  readonly base: ReadonlyArray<NamedValues>
}

/** PEFT's name of a base parameter that trains beside virtual tokens. */
export function promptBaseName({ key }: Parameter): string {
  return `base_model.${key}`
}

export function encodePrompt(adapter: string, config: PeftPromptConfig, values: PromptValues): ArtifactFiles {
  const { promptEmbeddings, beside = [], encoder, base } = values
  const tensors = new Map([[EMBEDDINGS, promptEmbeddings], ...beside])
  for (const { parameter, data } of base) tensors.set(promptBaseName(parameter), { shape: parameter.shape, data })
  return {
    [adapterFile(adapter, CONFIG_FILE)]: new TextEncoder().encode(encodePromptConfig(config)),
    [adapterFile(adapter, WEIGHTS_FILE)]: encodeTensors(tensors),
    ...(encoder === undefined ? {} : { [adapterFile(adapter, ENCODER_FILE)]: encodeTensors(encoder) }),
  }
}

export interface WantedPrompt<Type extends PromptType> {
  readonly id: string
  /** Values of `peft_type` that fit. */
  readonly types: ReadonlyArray<Type>
  /** What the config says of the model; checked where the file says it too. */
  readonly fields: Partial<Pick<PeftPromptFields, "tokenDim" | "numAttentionHeads" | "numLayers">>
  readonly shape: Shape
  /** Whether the model has an encoder and a decoder. */
  readonly isOfTwoParts: boolean
  /** Names of the tasks by PEFT's ids, where the method has several; checked where the file says them too. */
  readonly tasks?: ReadonlyArray<string>
  /** Shapes of the method's other tensors in PEFT's file. Default: none. */
  readonly beside?: ReadonlyMap<string, Shape>
  /** Shapes of the network's tensors, where the method trains through one. */
  readonly encoder?: ReadonlyMap<string, Shape>
  readonly base: ReadonlyArray<Parameter>
}

/** Reads an adapter's files. Throws {@link PeftError} when they are not there, or of another model or method. */
export function decodePrompt<Type extends PromptType>(
  adapter: string,
  files: ArtifactFiles,
  wanted: WantedPrompt<Type>,
): PromptValues {
  const { id, types, fields, shape, tasks, beside = new Map<string, Shape>(), encoder, base } = wanted
  const [configFile, weightsFile, encoderFile] = [CONFIG_FILE, WEIGHTS_FILE, ENCODER_FILE].map((file) =>
    adapterFile(adapter, file)
  )
  for (const file of [configFile, weightsFile]) {
    if (files[file] === undefined) {
      throw new PeftError({ reason: "Weights", file, message: `${id}: there is no ${file}` })
    }
  }
  const config = decodePromptConfig(new TextDecoder().decode(files[configFile]), configFile, types)
  if (config.taskType !== undefined && (config.taskType === SEQ2SEQ) !== wanted.isOfTwoParts) {
    const ours = wanted.isOfTwoParts ? "an encoder-decoder model" : "no encoder-decoder model"
    throw peftError("Mismatch", configFile, `task_type is ${config.taskType}; ${id} is for ${ours}`)
  }
  const expected = { numVirtualTokens: shape[0], ...fields }
  for (const [field, ours] of Object.entries(expected)) {
    const theirs = config[field as keyof typeof expected]
    if (theirs === undefined || theirs === ours) continue
    throw peftError("Mismatch", configFile, `${field} is ${theirs}; ${id} and the model have ${ours}`)
  }
  const saved = "tasks" in config ? config.tasks as ReadonlyArray<string> : undefined
  if (tasks !== undefined && saved !== undefined && `${saved}` !== `${tasks}`) {
    const [theirs, ours] = [saved, tasks].map((names) => JSON.stringify(names))
    throw peftError(
      "Mismatch",
      configFile,
      `its tasks are ${theirs}, in this order; ${id} has ${ours}: give it tasks ${theirs}`,
    )
  }
  const stored = openPrompt(files[weightsFile], weightsFile, beside)
  // What only a new module of this model needs may start anew.
  const optional = base.filter(({ trainable = true }) => !trainable)
  const absent = optional.some((parameter) => stored.shapes.has(promptBaseName(parameter))) ? [] : optional
  const trained = base.filter((parameter) => !absent.includes(parameter))
  const [rows, ...width] = shape
  const shapes = new Map<string, Shape>([[EMBEDDINGS, [rows + (config.idleRows ?? 0), ...width]], ...beside])
  for (const parameter of trained) shapes.set(promptBaseName(parameter), parameter.shape)
  const differs = differences(stored.shapes, shapes, new Set())
  checkTensors(differs, weightsFile, likelyReason(differs, config, trained))
  const values = {
    promptEmbeddings: { shape, data: stored.read(EMBEDDINGS).slice(0, sizeOf(shape)) },
    beside: new Map([...beside].map(([name, shape]) => [name, { shape, data: stored.read(name) }])),
    base: trained.map((parameter) => ({ parameter, data: stored.read(promptBaseName(parameter)) })),
  }
  if (encoder === undefined) return values
  if (files[encoderFile] === undefined) {
    const message = `${id}: there is no ${encoderFile}: the files hold what its network gives, not the network; ` +
      "load them with fromPeft, which trains that on"
    throw new PeftError({ reason: "Weights", file: encoderFile, message })
  }
  const tensors = decodeTensors(files[encoderFile], encoder, encoderFile)
  return {
    ...values,
    encoder: new Map([...encoder].map(([name, shape]) => [name, { shape, data: tensors.get(name)! }])),
  }
}

function openPrompt(bytes: Uint8Array, file: string, beside: ReadonlyMap<string, Shape>): StoredTensors {
  const { shapes, read } = openTensors(bytes, file)
  const names = new Map([...shapes.keys()].flatMap((stored) => {
    if (stored.endsWith(EMBEDDINGS)) return [[EMBEDDINGS, stored] as const]
    if (beside.has(stored)) return [[stored, stored] as const]
    const own = peftName(stored)?.slice(PREFIX.length)
    return own === undefined ? [] : [[own.startsWith("base_model.") ? own : `base_model.${own}`, stored] as const]
  }))
  return {
    shapes: new Map([...names].map(([name, stored]) => [name, shapes.get(stored)!])),
    read: (name) => read(names.get(name)!),
  }
}

function likelyReason(
  { missing, unexpected, misshapen }: Differences,
  { baseModel, modulesToSave }: PeftPromptFields,
  base: ReadonlyArray<Parameter>,
): string {
  if (misshapen.length > 0) {
    return `it was made for another base model${
      baseModel === "" ? "" : `: its config names ${JSON.stringify(baseModel)}`
    }`
  }
  const head = base.find((parameter) => missing.includes(promptBaseName(parameter)))
  if (head !== undefined) return `it was saved without "${head.module}": made for another task, or without a task_type`
  const others = modulesToSave.filter((name) => !HEADS.includes(name))
  if (unexpected.length === 0) return ""
  return others.length > 0
    ? `modules_to_save names ${others.join(", ")}; beside virtual tokens a classifier's head alone is known here`
    : "it was saved with more than the prompt: for another task, or with all of the model"
}
