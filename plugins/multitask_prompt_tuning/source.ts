/**
 * First values from another run's prompt, as PEFT takes them.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../core/contracts/attempt.ts"
import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { PluginError, pluginError } from "../../core/contracts/plugin_error.ts"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import { type StorageError, toStorageError } from "../../core/formats/files/storage_error.ts"
import { type FileTensor, openTensors } from "../peft_format/mod.ts"
import { PeftError } from "../peft_names/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { COLUMNS, EMBEDDING, ROWS } from "./tensors.ts"

/** Reads the file, and gives what of it the options ask for. */
export function sourceValues(
  options: ResolvedOptions,
  file: string,
  own: ReadonlyArray<Parameter>,
): Effect.Effect<ReadonlyArray<NamedValues>, PluginError | PeftError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const bytes = yield* fs.readFile(file).pipe(Effect.mapError(toStorageError(file, "read")))
    const { shapes, read } = yield* attempt(() => openTensors(bytes, file), PeftError)
    const tensor = (name: string): FileTensor | undefined =>
      shapes.has(name) ? { shape: shapes.get(name)!, data: read(name) } : undefined
    const values: NamedValues[] = []
    for (const parameter of own) {
      const found = yield* attempt(() => tensorFor(options, parameter, tensor), PluginError, PeftError)
      if (found === undefined) continue
      if (`${found.shape}` !== `${parameter.shape}`) {
        const message = `"${file}" has no ${parameter.name} of [${parameter.shape}], but [${found.shape}]: it is of ` +
          "another number of tokens or ranks, or of another model"
        return yield* pluginError(options.id, message)
      }
      values.push({ parameter, data: found.data })
    }
    return values
  })
}

/** What a parameter takes of the source; undefined where it starts by itself. */
function tensorFor(
  { id, promptTuningInit, promptTuningInitTask: task }: ResolvedOptions,
  { name }: Parameter,
  tensor: (name: string) => FileTensor | undefined,
): FileTensor | undefined {
  const wanted = (stored: string) => {
    const found = tensor(stored)
    if (found === undefined) throw pluginError(id, `the source has no "${stored}": it is no multitask prompt of PEFT's`)
    return found
  }
  if (name === EMBEDDING) return wanted("prompt_embeddings")
  if (promptTuningInit === "ONLY_SOURCE_SHARED") return undefined
  const { shape: [tasks, ...shape], data } = wanted(name.startsWith(COLUMNS) ? COLUMNS : ROWS)
  const size = data.length / tasks
  const of = (task: number) => data.subarray(task * size, (task + 1) * size)
  if (promptTuningInit === "EXACT_SOURCE_TASK") {
    if (task < tasks) return { shape, data: of(task).slice() }
    throw pluginError(id, `promptTuningInitTask is ${task}; the source has ${tasks} tasks, from 0`)
  }
  const mean = Float32Array.from({ length: size }, (_, i) => {
    let sum = 0
    for (let task = 0; task < tasks; task++) sum += of(task)[i]
    return sum / tasks
  })
  return { shape, data: mean }
}
