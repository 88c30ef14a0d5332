import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { writeDirectoryWhole } from "../../formats/files/whole_file.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { writeJson } from "../../formats/json/json_file.ts"
import { copyCompanions } from "../../formats/safetensors/companions.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import { writeSafetensors } from "../../formats/safetensors/safetensors_writer.ts"
import { type FloatDType, TORCH_NAMES } from "../../formats/safetensors/stored_dtype.ts"
import { asInFiles } from "../../weights/weight_map.ts"
import { isLabelled } from "../load/stored/stored_head.ts"
import type { Model } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { sitesOn } from "../sites/sites.ts"

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
 */
export function writeCheckpoint(
  model: Model,
  directory: string,
  { dtype = "F32", config = {} }: CheckpointOptions,
  replaced: (key: string) => Promise<Float32Array | undefined> = () => Promise.resolve(undefined),
): Effect.Effect<void, ModelError | SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const [beside] = [...sitesOn(model).values()].flat()
    if (beside !== undefined) {
      const message =
        `a checkpoint of the model would lack what ${beside.owner} changed; merge it first, or save adapters`
      return yield* new ModelError({ reason: "Unsupported", message })
    }
    const slots = new Map(
      [
        ...model.parameters.flatMap(({ original, ...own }) => [own, ...(original ? [original] : [])]),
        ...model.folded.values(),
      ]
        .map(({ tensor, slot }) => [tensor, slot]),
    )
    const base = model.parameters.filter(({ owner }) => owner === "base").map(({ key, shape }) => {
      const read = async () =>
        await replaced(key) ?? await model.backend.read(slots.get(model.tensor(key, false))!) as Float32Array
      return [key, { name: key, shape, read }] as const
    })
    const tensors = [...asInFiles(model.network.weights, new Map(base))]
      .map(([name, { shape, read }]) => ({ name, shape, dtype, read }))
    yield* writeDirectoryWhole(directory, (temporary) =>
      Effect.gen(function* () {
        yield* writeSafetensors(`${temporary}/model.safetensors`, tensors, { format: "pt" })
        yield* writeJson(`${temporary}/config.json`, { ...configOf(model, dtype), ...config })
        if (model.directory === "") return
        yield* copyCompanions(model.companions ?? model.directory, temporary)
      }))
  })
}

function configOf({ config, network, task }: Model, dtype: FloatDType): Record<string, unknown> {
  // `dtype` is the newer name of `torch_dtype`, which every version reads.
  const { dtype: _, num_labels: __, id2label: ___, label2id: ____, ...rest } = config
  const record = { ...rest, architectures: [network.architecture], torch_dtype: TORCH_NAMES[dtype] }
  const { head, labels = [], problemType } = task
  if (head.kind === "vocabulary") return record
  const fields = { ...record, ...(problemType === undefined ? {} : { problem_type: problemType }) }
  if (!isLabelled(task)) return { ...fields, num_labels: head.size }
  return {
    ...fields,
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  }
}
