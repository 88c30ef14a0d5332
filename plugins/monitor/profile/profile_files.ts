/**
 * A profile on disk: `profile.json` with the columns, and `embeddings.safetensors` with rows, mean and covariance.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { StorageError } from "../../../core/formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../../core/formats/files/whole_file.ts"
import type { JsonError } from "../../../core/formats/json/json_error.ts"
import { readJson } from "../../../core/formats/json/json_file.ts"
import { writeJson } from "../../../core/formats/json/write_json.ts"
import {
  openSafetensors,
  readTensor,
  type SafetensorsError,
  type TensorEntry,
  writeSafetensors,
} from "../../../core/formats/safetensors/safetensors.ts"
import { MonitorError } from "../monitor_error.ts"
import type { Profile } from "./profile.ts"
import type { Embeddings } from "./sample.ts"

/** What goes wrong with the files of a profile. */
export type ProfileFilesError = MonitorError | StorageError | SafetensorsError | JsonError

const JSON_FILE = "profile.json"
const TENSORS_FILE = "embeddings.safetensors"
const VERSION = 1

/** Writes a profile into a folder of its own, whole or not at all; an older profile is replaced. */
export function saveProfile(
  { sample: { rows, columns, embeddings }, labels, maxLength }: Profile,
  folder: string,
): Effect.Effect<void, StorageError | SafetensorsError, FileSystem.FileSystem> {
  return writeDirectoryWhole(folder, (temporary) =>
    Effect.gen(function* () {
      yield* writeJson(`${temporary}/${JSON_FILE}`, {
        version: VERSION,
        rows,
        labels,
        maxLength,
        width: embeddings?.width,
        columns: Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, Array.from(values)])),
      })
      if (embeddings === undefined) return
      const tensors = tensorsOf(embeddings, rows)
      yield* writeSafetensors(`${temporary}/${TENSORS_FILE}`, tensors)
    }), true)
}

const tensorsOf = ({ width, values, moments }: Embeddings, rows: number) =>
  [
    { name: "embeddings", shape: [rows, width], data: values },
    ...moments === undefined ? [] : [
      { name: "mean", shape: [width], data: moments.mean },
      { name: "covariance", shape: [width, width], data: moments.covariance },
    ],
  ].map(({ data, ...tensor }) => ({ ...tensor, dtype: "F32" as const, read: () => data }))

/** Reads a profile. Fails with {@link MonitorError} `Profile` where a file is none, or two do not fit together. */
export function loadProfile(folder: string): Effect.Effect<Profile, ProfileFilesError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const path = `${folder}/${JSON_FILE}`
    const stored = yield* readJson(path)
    const { rows, width, ...about } = yield* attempt(() => checked(stored, path), MonitorError)
    const columns = Object.fromEntries(
      Object.entries(about.columns).map(([name, values]) => [name, Float64Array.from(values)]),
    )
    const embeddings = width === undefined ? undefined : yield* readEmbeddings(`${folder}/${TENSORS_FILE}`, rows, width)
    return {
      labels: about.labels,
      ...about.maxLength === undefined ? {} : { maxLength: about.maxLength },
      sample: { rows, columns, ...embeddings === undefined ? {} : { embeddings } },
    }
  })
}

/** The content of `profile.json`. */
interface Stored {
  readonly rows: number
  readonly labels: ReadonlyArray<string>
  readonly maxLength?: number
  readonly width?: number
  readonly columns: Readonly<Record<string, ReadonlyArray<number>>>
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

/** Throws where a value is no profile. */
function checked(value: unknown, path: string): Stored {
  const { version, rows, labels, columns, width, maxLength } = (value ?? {}) as Partial<Stored & { version: unknown }>
  const wrong = (what: string) => {
    const message = `"${path}" is no profile of a monitor: ${what}; make it anew with profile()`
    return new MonitorError({ reason: "Profile", message })
  }
  if (version !== VERSION) throw wrong(`version is ${JSON.stringify(version)}, known is ${VERSION}`)
  if (!isWhole(rows)) throw wrong(`rows is ${JSON.stringify(rows)}`)
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string")) {
    throw wrong("labels is no list of texts")
  }
  for (const [name, size] of Object.entries({ width, maxLength })) {
    if (size !== undefined && !isWhole(size)) throw wrong(`${name} is ${JSON.stringify(size)}`)
  }
  if (typeof columns !== "object" || columns === null) throw wrong("columns is missing")
  for (const [name, own] of Object.entries(columns)) {
    if (!Array.isArray(own) || own.length !== rows || !own.every(Number.isFinite)) {
      throw wrong(`the column "${name}" must have ${rows} finite numbers`)
    }
  }
  return { rows, labels, columns, ...isWhole(width) ? { width } : {}, ...isWhole(maxLength) ? { maxLength } : {} }
}

function readEmbeddings(
  path: string,
  rows: number,
  width: number,
): Effect.Effect<Embeddings, ProfileFilesError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { tensors } = yield* openSafetensors(path)
    const wanted = { embeddings: [rows, width], mean: [width], covariance: [width, width] }
    const read: Record<string, Float32Array> = {}
    for (const [name, shape] of Object.entries(wanted)) {
      const entry: TensorEntry | undefined = tensors.get(name)
      if (`${entry?.shape}` !== `${shape}`) {
        const message = `"${path}" does not fit its profile: ${name} must be [${shape}], it is ` +
          `${entry === undefined ? "missing" : `[${entry.shape}]`}`
        return yield* new MonitorError({ reason: "Profile", message })
      }
      const values = read[name] = new Float32Array(shape.reduce((a, b) => a * b, 1))
      yield* readTensor(entry!, (data, offset) => values.set(data, offset))
      if (!values.every(Number.isFinite)) {
        return yield* new MonitorError({
          reason: "Profile",
          message: `"${path}": ${name} has numbers that are not finite`,
        })
      }
    }
    return { width, values: read.embeddings, moments: { mean: read.mean, covariance: read.covariance } }
  })
}
