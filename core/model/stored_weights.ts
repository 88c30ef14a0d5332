import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { openModel } from "../formats/checkpoint.ts"
import type { JsonError } from "../formats/json_error.ts"
import { PLAIN_WEIGHTS, quantizedConfig, quantizedTensors } from "../formats/quantized.ts"
import type { SafetensorsError } from "../formats/safetensors_error.ts"
import type { TensorEntry } from "../formats/safetensors_header.ts"
import type { StorageError } from "../formats/storage_error.ts"
import type { Parameter } from "../contracts/parameter.ts"
import type { Task } from "../tasks/task.ts"
import { ModelError } from "./model_error.ts"
import type { Network } from "./network.ts"
import { settleTies } from "./settle_ties.ts"
import { headOfAnotherSize, isLabelled, type Labelled, taskOfHead } from "./stored_head.ts"
import { unwrapNames } from "./stored_names.ts"

export { compareBuffers, STALE_BUFFERS } from "./stale_buffers.ts"

/** A model that looks for its weights. */
export interface WeightsWanted {
  readonly directory: string
  readonly config: Readonly<Record<string, unknown>>
  readonly network: Network
  readonly task: Task
  readonly base: ReadonlyArray<Parameter>
  /** Keys of parameters whose shape follows from the size of the head. */
  readonly labelKeys: ReadonlySet<string>
  /** Whether a head of the files is kept, or one starts anew in its place. */
  readonly head: "stored" | "new"
}

/** Weights under a model's names, and what they say of the model. */
export interface StoredWeights {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Ties that the files bear out. */
  readonly tied: Readonly<Record<string, string>>
  /** The task, with the labels of a head that the files hold. */
  readonly task: Task
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
}

/** Names that methods leave in a model that is saved with them inside. */
const INSIDE = /\.(base_layer|modules_to_save)(\.|$)|_[AB]\.(\w+\.)?weight$/

/** Opens a model's files and finds out what they hold, before anything is said of names and sizes. */
export function storedWeights(
  wanted: WeightsWanted,
): Effect.Effect<StoredWeights, ModelError | JsonError | StorageError | SafetensorsError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { directory, network, base } = wanted
    const keys = new Set(base.map(({ key }) => key))
    const plain = unwrapNames((yield* openModel(directory)).tensors, keys)
    const named = rename(plain.tensors, network)
    const quantized = quantizedTensors(named, keys)
    if (quantized !== undefined) yield* refuseQuantized(directory, quantized)
    const inside = [...named.keys()].find((name) => INSIDE.test(name) && !keys.has(name))
    if (inside !== undefined) {
      const message =
        `"${directory}": an adapter lies within these weights (${inside}): merge it (merge_and_unload in ` +
        "Python) and save again, or save model and adapter apart"
      return yield* new ModelError({ reason: "Unsupported", message })
    }
    const { tied, tensors, notes } = yield* settleTies(network.tied, yield* withHead(wanted, named))
    const stored = { tied, tensors, task: wanted.task, notes: [...plain.notes, ...notes] }
    return yield* withLabels(wanted, stored)
  })
}

/** Fails where a config says that its weights are not plain numbers. */
export function checkPlain(directory: string, config: WeightsWanted["config"]): Effect.Effect<void, ModelError> {
  const quantized = quantizedConfig(config)
  return quantized === undefined ? Effect.void : refuseQuantized(directory, quantized)
}

function refuseQuantized(directory: string, how: string): Effect.Effect<never, ModelError> {
  const message = `"${directory}": its weights are quantized (${how}); ${PLAIN_WEIGHTS}`
  return Effect.fail(new ModelError({ reason: "Unsupported", message }))
}

/** Tensors by their names here. A name that is there already keeps its tensor, and the other stays unexpected. */
function rename<A>(tensors: ReadonlyMap<string, A>, { renames }: Network): ReadonlyMap<string, A> {
  const names = renames?.([...tensors.keys()]) ?? new Map<string, string>()
  const taken = new Set(tensors.keys())
  const renamed = new Map<string, A>()
  for (const [stored, tensor] of tensors) {
    const name = names.get(stored) ?? stored
    const free = name !== stored && !taken.has(name)
    if (free) taken.add(name)
    renamed.set(free ? name : stored, tensor)
  }
  return renamed
}

/** Leaves out a head that is to start anew; one of another size is an error. */
function withHead(
  { directory, config, task, base, labelKeys, head }: WeightsWanted,
  tensors: ReadonlyMap<string, TensorEntry>,
): Effect.Effect<ReadonlyMap<string, TensorEntry>, ModelError> {
  if (head === "new") return Effect.succeed(new Map([...tensors].filter(([name]) => !labelKeys.has(name))))
  for (const { key, shape } of base) {
    const found = labelKeys.has(key) ? tensors.get(key)?.shape : undefined
    if (found === undefined || found.length !== shape.length || found[0] === shape[0]) continue
    return Effect.fail(headOfAnotherSize(task, config, directory, key, found[0]))
  }
  return Effect.succeed(tensors)
}

/** The labels of a head that the files hold, and of which class it was. */
function withLabels(
  { directory, config, network: { architecture }, labelKeys }: WeightsWanted,
  stored: StoredWeights,
): Effect.Effect<StoredWeights, ModelError> {
  const { task, tensors } = stored
  const [own] = Array.isArray(config.architectures) ? config.architectures as ReadonlyArray<unknown> : []
  const family = architecture.replace(/For[A-Z].*$/, "")
  const isHead = [...labelKeys].some((key) => tensors.has(key))
  const notes: string[] = []
  if (typeof own === "string" && !own.startsWith(family)) {
    notes.push(`architectures of the config names ${own}; it is taken as ${architecture}`)
  } else if (typeof own === "string" && isHead && own !== architecture) {
    notes.push(`the head in the files is that of ${own}; it is taken as that of ${architecture}`)
  }
  return Effect.suspend(() => {
    try {
      const found = isHead && isLabelled(task)
        ? taskOfHead(task as Labelled, config, `${directory}/config.json`)
        : { task, notes: [] }
      return Effect.succeed({ ...stored, task: found.task, notes: [...stored.notes, ...notes, ...found.notes] })
    } catch (error) {
      if (error instanceof ModelError) return Effect.fail(error)
      throw error
    }
  })
}
