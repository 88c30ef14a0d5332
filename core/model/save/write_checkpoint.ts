import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { readGguf } from "../../data/tokenizer_files/gguf/read_gguf.ts"
import { writeDirectoryWhole } from "../../formats/files/whole_file.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { writeConfig } from "../../formats/json/write_config.ts"
import { writeJson } from "../../formats/json/write_json.ts"
import { copyCompanions } from "../../formats/safetensors/companions.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import { writeSafetensors } from "../../formats/safetensors/safetensors_writer.ts"
import { type FloatDType, TORCH_NAMES } from "../../formats/safetensors/stored_dtype.ts"
import type { TaskOf } from "../../tasks/task.ts"
import { asInFiles } from "../../weights/weight_map.ts"
import type { LazyTensor } from "../../weights/weight_transform.ts"
import { headPath, TASKS_FIELD } from "../heads/model_task.ts"
import { isLabelled } from "../load/stored/stored_head.ts"
import type { Model } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { sitesOn } from "../sites/sites.ts"
import { slotsOf } from "./slots_of.ts"

/** Options of `saveCheckpoint`. */
export interface CheckpointOptions {
  /** Type of the numbers in the file. Default `"F32"`. */
  readonly dtype?: FloatDType
  /** Fields to put into `config.json`, such as `pad_token_id`. */
  readonly config?: Readonly<Record<string, unknown>>
}

/**
 * Writes a model's checkpoint.
 *
 * @param replaced Values of a parameter that are not the model's, by key.
 * @param check Looks at the directory before it takes its place.
 */
export function writeCheckpoint<E = never, R = never>(
  model: Model,
  directory: string,
  { dtype = "F32", config = {} }: CheckpointOptions,
  replaced: (key: string) => Promise<Float32Array | undefined> = () => Promise.resolve(undefined),
  check: (temporary: string) => Effect.Effect<void, E, R> = () => Effect.void,
): Effect.Effect<void, ModelError | SafetensorsError | StorageError | E, FileSystem.FileSystem | R> {
  return Effect.gen(function* () {
    const [beside] = [...sitesOn(model).values()].flat()
    if (beside !== undefined) {
      const message =
        `a checkpoint of the model would lack what ${beside.owner} changed; merge it first, or save adapters`
      return yield* new ModelError({ reason: "Unsupported", message })
    }
    const slotOf = slotsOf(model)
    const read = async (key: string) => await replaced(key) ?? await model.backend.read(slotOf(key)) as Float32Array
    const tensors = [...inFiles(model, read)].map(([name, { shape, read }]) => ({ name, shape, dtype, read }))
    yield* writeDirectoryWhole(directory, (temporary) =>
      Effect.gen(function* () {
        yield* writeSafetensors(`${temporary}/model.safetensors`, tensors, { format: "pt" })
        const own = { ...configOf(model, dtype), ...config }
        yield* writeConfig(`${temporary}/config.json`, own, `${model.directory}/config.json`)
        if (model.directory !== "") yield* writeCompanions(model.companions ?? model.directory, temporary)
        yield* check(temporary)
      }))
  })
}

/** Files of the tokenizer: copies, or what a GGUF file holds in their place. */
function writeCompanions(from: string, to: string): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    if ((yield* copyCompanions(from, to)) > 0) return
    const files = yield* readGguf(from).pipe(Effect.orElseSucceed(() => ({})))
    for (const [name, content] of Object.entries(files)) yield* writeJson(`${to}/${name}`, content)
  })
}

/** Base parameters as files store them: of several tasks what they share, and each head under its task. */
function inFiles(model: Model, read: (key: string) => Promise<Float32Array>): ReadonlyMap<string, LazyTensor> {
  const all = new Map<string, LazyTensor>()
  for (const [task, { network, paths }] of Object.entries(model.tasks)) {
    const one = paths === undefined ? model : model.view({ task })
    const keys = new Map(model.parameters.map(({ slot, key }) => [slot, key]))
    const stored = (head: boolean) => {
      const own = one.parameters.filter(({ owner, slot, key }) => owner === "base" && head === (keys.get(slot) !== key))
      return asInFiles(
        network.weights,
        new Map(own.map(({ key, shape, slot }) => [key, { name: key, shape, read: () => read(keys.get(slot)!) }])),
      )
    }
    for (const [name, tensor] of stored(false)) all.set(name, tensor)
    for (const [name, tensor] of stored(true)) all.set(headPath(task, name), tensor)
  }
  return all
}

/**
 * Fields of a config that do not hold for what is written: `dtype` is the newer name of `torch_dtype`, which every version
 * reads, and the numbers are plain.
 */
const REPLACED = new Set(["dtype", "num_labels", "id2label", "label2id", "quantization_config"])

function configOf({ config, network, task, tasks }: Model, dtype: FloatDType): Record<string, unknown> {
  const rest = Object.fromEntries(Object.entries(config).filter(([name]) => !REPLACED.has(name)))
  const own = { architectures: [network.architecture], torch_dtype: TORCH_NAMES[dtype] }
  const record = { ...rest, ...network.config, ...own }
  if (Object.values(tasks).every(({ paths }) => paths === undefined)) return { ...record, ...headFields(task) }
  const heads = Object.entries(tasks).map(([name, { task, network: { architecture } }]) =>
    [name, { architectures: [architecture], ...headFields(task) }] as const
  )
  return { ...record, [TASKS_FIELD]: Object.fromEntries(heads) }
}

/** What a config says of a head. */
function headFields(task: TaskOf): Record<string, unknown> {
  const { head, labels = [], problemType } = task
  if (head.kind === "vocabulary") return {}
  const fields = problemType === undefined ? {} : { problem_type: problemType }
  if (!isLabelled(task)) return { ...fields, num_labels: head.size }
  return {
    ...fields,
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  }
}
