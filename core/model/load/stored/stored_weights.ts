import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../contracts/attempt.ts"
import { type CheckedNames, checkNames } from "../../../formats/safetensors/check_names.ts"
import {
  isBitsAndBytes4,
  PLAIN_WEIGHTS,
  quantizedConfig,
  quantizedTensors,
} from "../../../formats/safetensors/quantized.ts"
import { SafetensorsError } from "../../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../../formats/files/storage_error.ts"
import { ShapeError } from "../../../tensor/shape_error.ts"
import type { CheckpointFormat, FormatError } from "../../../weights/checkpoint_format.ts"
import { expressionOf } from "../../../weights/name_pattern.ts"
import type { StoredTensor } from "../../../weights/stored_tensor.ts"
import { asInModel, ignoredNames, isOptional, type Ties, tiesOf, type WeightMap } from "../../../weights/weight_map.ts"
import { withChanges } from "../changed_base.ts"
import { headPath, type ModelTask } from "../../heads/model_task.ts"
import type { Description, TaskDescription } from "../describe.ts"
import type { FoundInFiles } from "../structure.ts"
import type { TaskOf } from "../../../tasks/task.ts"
import { ModelError } from "../../model_error.ts"
import { settleTies } from "./settle_ties.ts"
import { compareBuffers, STALE_BUFFERS } from "./stale_buffers.ts"
import { headOfAnotherSize, isLabelled, type Labelled, taskOfHead } from "./stored_head.ts"
import { unwrapNames } from "../../stored_names.ts"

export { encodedNotes, storedBlocks } from "./blocks.ts"
export { writeFromFiles } from "./write_from_files.ts"

/** Weights under a model's names, and what they say of the model. */
export interface StoredWeights extends FoundInFiles {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
}

/** Names that methods leave in a model that is saved with them inside. */
const INSIDE = /\.(base_layer|modules_to_save)(\.|$)|_[AB]\.(\w+\.)?weight$/

/**
 * Opens a model's files, checks names and shapes, and finds out what they say of the model. Reads no weight.
 *
 * @param open Gives their tensors.
 */
export function storedWeights(
  description: Description,
  head: "stored" | "new",
  open: ReturnType<CheckpointFormat["open"]>,
): Effect.Effect<StoredWeights, ModelError | FormatError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { directory, tasks, changed, savedTasks } = description
    const stored = yield* open
    const found: Record<string, ModelTask> = {}
    const tensors = new Map<string, StoredTensor>()
    const tied: Record<string, string> = {}
    const fresh = new Set<string>(), notes = new Set<string>()
    for (const [name, own] of Object.entries(tasks)) {
      const { network, paths, keys } = own
      const isNamed = paths !== undefined
      const named = ofTask(stored, savedTasks, isNamed ? name : undefined)
      // A head without a name is of no task in particular.
      const ownHead = isNamed && !savedTasks.includes(name) ? "new" : head
      const one = yield* weightsOf({ ...own, directory, changed }, ownHead, named)
      const { task, record: config } = one
      found[name] = { task, network, tied: one.tied, config, ...(isNamed ? { paths } : {}) }
      one.tensors.forEach((tensor, key) => keys.has(key) && tensors.set(keys.get(key)!, tensor))
      for (const [key, from] of Object.entries(one.tied)) tied[keys.get(key)!] = keys.get(from)!
      one.missing.forEach((key) => fresh.add(keys.get(key)!))
      one.notes.forEach((note) => notes.add(note))
    }
    const untied = Object.values(found).some(({ config }) => config.tie_word_embeddings === false)
    const record = untied ? { ...description.record, tie_word_embeddings: false } : description.record
    return { tasks: found, tensors, tied, fresh, record, notes: [...notes] }
  })
}
/** Tensors under the names that a model of one task has: heads that were saved under the names of others are left out. */
function ofTask(
  stored: ReadonlyMap<string, StoredTensor>,
  saved: ReadonlyArray<string>,
  name: string | undefined,
): ReadonlyMap<string, StoredTensor> {
  const plain = new Map<string, StoredTensor>(), own = new Map<string, StoredTensor>()
  for (const [key, tensor] of stored) {
    const task = saved.find((task) => key.startsWith(headPath(task, "")))
    if (task === undefined) plain.set(key, tensor)
    else if (task === name) own.set(key.slice(headPath(task, "").length), tensor)
  }
  return new Map([...plain, ...own])
}

/** A task's part of a description. */
interface OwnDescription extends TaskDescription, Pick<Description, "directory" | "changed"> {}

/** Weights of a task, by the names of its own network. */
function weightsOf(
  description: OwnDescription,
  head: "stored" | "new",
  stored: ReadonlyMap<string, StoredTensor>,
): Effect.Effect<
  {
    readonly task: TaskOf
    readonly tensors: ReadonlyMap<string, StoredTensor>
    readonly tied: Ties
    readonly record: OwnDescription["config"]["record"]
    readonly missing: ReadonlyArray<string>
    readonly notes: ReadonlyArray<string>
  },
  ModelError | StorageError | SafetensorsError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const { directory, network, parameters, changed } = description
    const ties = tiesOf(network.weights)
    const keys = new Set(parameters.map(({ key }) => key).filter((key) => !Object.hasOwn(ties, key)))
    const plain = unwrapNames(stored, keys)
    const named = yield* underModelNames(network.weights, plain.tensors, directory)
    const quantized = quantizedTensors(named, keys)
    if (quantized !== undefined) yield* refuseQuantized(directory, quantized)
    const inside = [...named.keys()].find((name) => INSIDE.test(name) && !keys.has(name))
    if (inside !== undefined) {
      const message =
        `"${directory}": an adapter lies within these weights (${inside}): merge it (merge_and_unload in ` +
        "Python) and save again, or save model and adapter apart"
      return yield* new ModelError({ reason: "Unsupported", message })
    }
    const settled = yield* settleTies(ties, yield* withHead(description, head, named))
    const { task, notes } = yield* labelsOfHead(description, settled.tensors)
    const tensors = withChanges(settled.tensors, changed)
    const { tied } = settled
    const { missing, ignored } = yield* checkAll(description, tied, tensors)
    const buffers = yield* compareBuffers(network.buffers ?? {}, tensors, ignored)
    // What is saved of a model whose files do not bear out that a matrix is tied must not ask for it.
    const apart = parameters.some(({ key, shape }) =>
      shape.length > 1 && Object.hasOwn(ties, key) && !Object.hasOwn(tied, key)
    )
    const record = apart ? { ...description.config.record, tie_word_embeddings: false } : description.config.record
    const isPlain = ![...tensors.values()].some(({ packed }) => packed !== undefined)
    const asked = isPlain && isBitsAndBytes4(record)
      ? ["config.json asks for 4 bits (quantization_config), the files hold plain numbers: they are taken as they are"]
      : []
    const told = [...plain.notes, ...settled.notes, ...notes, ...buffers, ...asked]
    return { task, tied, tensors, record, missing, notes: told }
  })
}

/** Stored tensors under the model's names and in its layouts. */
function underModelNames(
  map: WeightMap,
  stored: ReadonlyMap<string, StoredTensor>,
  directory: string,
): Effect.Effect<ReadonlyMap<string, StoredTensor>, SafetensorsError> {
  // Of several types f32 loses nothing.
  const typeOf = ([{ dtype }, ...others]: ReadonlyArray<StoredTensor>) =>
    others.every((other) => other.dtype === dtype) ? dtype : "F32"
  const under = () => asInModel(map, stored, (tensor, from) => ({ ...tensor, dtype: typeOf(from) }))
  return attempt(under, ShapeError).pipe(Effect.mapError(({ message }) =>
    new SafetensorsError({
      reason: "Shape",
      file: directory,
      message: `the weights in "${directory}" do not fit the model: ${message}`,
    })
  ))
}

/** Checks names and shapes against the model. */
function checkAll(
  { directory, config: { record }, network, parameters, changed }: OwnDescription,
  tied: Ties,
  found: ReadonlyMap<string, StoredTensor>,
): Effect.Effect<CheckedNames, SafetensorsError> {
  const base = parameters.filter(({ key }) => !Object.hasOwn(tied, key))
  const [own] = architecturesIn(record)
  return checkNames({
    expected: new Map(base.filter(({ key }) => !changed.weights.has(key)).map(({ key, shape }) => [key, shape])),
    found,
    file: directory,
    ignore: [...STALE_BUFFERS, ...ignoredNames(network.weights).map(expressionOf), ...Object.keys(tied)],
    optional: base.map(({ key }) => key).filter((key) => isOptional(network.weights, key)),
    vocabSize: network.vocabSize,
    ...(typeof own === "string" && own !== network.architecture ? { savedAs: own } : {}),
  })
}

/** Classes that a config names. */
function architecturesIn({ architectures }: Description["record"]): ReadonlyArray<unknown> {
  return Array.isArray(architectures) ? architectures : []
}

/** Fails where a config says that its weights are not plain numbers. */
export function checkPlain(
  directory: string,
  config: Description["record"],
): Effect.Effect<void, ModelError> {
  const quantized = quantizedConfig(config)
  return quantized === undefined ? Effect.void : refuseQuantized(directory, quantized)
}

function refuseQuantized(directory: string, how: string): Effect.Effect<never, ModelError> {
  const message = `"${directory}": its weights are quantized (${how}); ${PLAIN_WEIGHTS}`
  return Effect.fail(new ModelError({ reason: "Unsupported", message }))
}

/** Leaves out a head that is to start new; one of another size is an error. */
function withHead(
  { directory, config: { record }, task, parameters, labelKeys }: OwnDescription,
  head: "stored" | "new",
  tensors: ReadonlyMap<string, StoredTensor>,
): Effect.Effect<ReadonlyMap<string, StoredTensor>, ModelError> {
  if (head === "new") return Effect.succeed(new Map([...tensors].filter(([name]) => !labelKeys.has(name))))
  for (const { key, shape } of parameters) {
    const found = labelKeys.has(key) ? tensors.get(key)?.shape : undefined
    if (found === undefined || found.length !== shape.length || found[0] === shape[0]) continue
    return Effect.fail(headOfAnotherSize(task, record, directory, key, found[0]))
  }
  return Effect.succeed(tensors)
}

/** The task with the labels of a head that the files hold, and of which class it was. */
function labelsOfHead(
  { directory, config: { record }, network: { architecture }, task, labelKeys }: OwnDescription,
  tensors: ReadonlyMap<string, StoredTensor>,
): Effect.Effect<{ readonly task: TaskOf; readonly notes: ReadonlyArray<string> }, ModelError> {
  const [own] = architecturesIn(record)
  const family = architecture.replace(/For[A-Z].*$/, "")
  const isHead = [...labelKeys].some((key) => tensors.has(key))
  const notes: string[] = []
  if (typeof own === "string" && !own.startsWith(family)) {
    notes.push(`architectures of the config names ${own}; it is taken as ${architecture}`)
  } else if (typeof own === "string" && isHead && own !== architecture) {
    notes.push(`the head in the files is that of ${own}; it is taken as that of ${architecture}`)
  }
  return attempt(() => {
    if (!isHead || !isLabelled(task)) return { task, notes }
    const found = taskOfHead(task as Labelled, record, `${directory}/config.json`)
    return { task: found.task, notes: [...notes, ...found.notes] }
  }, ModelError)
}
