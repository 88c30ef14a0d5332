/**
 * The labels that a config names for its head.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { JsonError } from "../formats/json/json_error.ts"
import { readModelConfig } from "../formats/json/model_config.ts"
import { gguf } from "../weights/formats.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import { PATH, TEXTS, wrongArgument } from "../options/argument.ts"
import { ModelError } from "./model_error.ts"

/** Names that a config gives to a head's classes, by id; undefined where it gives none. */
export function namesIn(config: Readonly<Record<string, unknown>>, count?: number): ReadonlyArray<string> | undefined {
  const { id2label, label2id } = config
  const names: string[] = []
  const isRecord = (value: unknown) => typeof value === "object" && value !== null
  if (isRecord(id2label)) Object.entries(id2label!).forEach(([id, name]) => names[Number(id)] = String(name))
  else if (isRecord(label2id)) Object.entries(label2id!).forEach(([name, id]) => names[Number(id)] = name)
  const size = count ?? names.length
  if (size === 0) return undefined
  const all = Array.from({ length: size }, (_, i) => names[i] ?? `LABEL_${i}`)
  return all.every((name, i) => name === `LABEL_${i}`) ? undefined : all
}

/** Whether labels are ids of `names`. */
export const areIds = (labels: ReadonlyArray<string>, names: ReadonlyArray<string>): boolean =>
  !names.some((name) => /^[+-]?\d+$/.test(name)) &&
  labels.every((label) => /^\d+$/.test(label) && Number(label) < names.length)

/** Whether all labels are among `names`, or are ids of them. */
export const isAmong = (labels: ReadonlyArray<string>, names: ReadonlyArray<string>): boolean =>
  areIds(labels, names) || labels.every((label) => names.includes(label))

/**
 * The labels of the head of the model in `directory`, in its own order, where all of `labels` are among them or are its
 * ids; undefined where its `config.json` names others or none. For data sets: their option `labels`.
 */
export function headLabels(
  directory: string,
  labels: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string> | undefined, ModelError | JsonError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const message = wrongArgument("directory", directory, PATH) ?? wrongArgument("labels", labels, TEXTS)
    if (message !== undefined) return yield* new ModelError({ reason: "Options", message })
    const names = namesIn((yield* readModelConfig(directory)).record)
    return names !== undefined && isAmong(labels, names) ? names : undefined
  }).pipe(Effect.catch((error) =>
    // A GGUF file, which stands for a config.json, has no labels.
    Effect.flatMap(gguf.detect(directory), (is) => is ? Effect.succeed(undefined) : Effect.fail(error))
  ))
}
