import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import { openSafetensors } from "../../core/formats/safetensors/checkpoint.ts"
import { pathExists } from "../../core/formats/files/path_exists.ts"
import type { SafetensorsError } from "../../core/formats/safetensors/safetensors_error.ts"
import { type StorageError, toStorageError } from "../../core/formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../core/formats/files/whole_file.ts"
import {
  type AveragedTensor,
  averageTensors,
  checkOutput,
  partsOf,
  reportOf,
  type SoupReport,
} from "../../core/weights/average/average_tensors.ts"
import { SoupError } from "../../core/weights/average/soup_error.ts"
import type { AdapterHubError } from "./adapter_hub_error.ts"
import { decodeAdapterConfig, FILES } from "./hub_config.ts"

/** Options of {@link soup}. */
export interface SoupOptions {
  /** Saved adapters of one config, with weights that sum to 1. Default of each weight: 1 / n. */
  readonly adapters: ReadonlyArray<{ readonly directory: string; readonly weight?: number }>
  /** Directory for the result; replaced if it exists. */
  readonly output: string
}

/**
 * Averages the parameters of adapters with the same initial values (AdapterSoup, Chronopoulou et al. 2023). The result
 * has the first one's name and config. Heads are averaged if all adapters have one, otherwise left out. The written
 * file is compared with the exact average.
 */
export function soup({ adapters, output }: SoupOptions): Effect.Effect<
  SoupReport,
  SoupError | AdapterHubError | SafetensorsError | StorageError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const parts = yield* partsOf(adapters.map(({ weight }) => weight))
    const read = (path: string) => fs.readFile(path).pipe(Effect.mapError(toStorageError(path, "read")))
    const opened = yield* Effect.forEach(adapters, ({ directory }, i) =>
      Effect.gen(function* () {
        const path = `${directory}/${FILES.config}`
        const bytes = yield* read(path)
        // Neither affects what was trained.
        const { adapter: { name, dropout: _, initWeights: __, ...config } } = yield* Effect.try({
          try: () => decodeAdapterConfig(bytes, path),
          catch: (error) => error as AdapterHubError,
        })
        const { tensors } = yield* openSafetensors(`${directory}/${FILES.weights}`)
        const hasHead = yield* pathExists(`${directory}/${FILES.headWeights}`)
        return { directory, weight: parts[i], bytes, name, config, tensors, hasHead }
      }))
    const [first] = opened
    yield* checkOutput(output, "adapters", adapters.map(({ directory }) => directory))
    for (const { directory, config } of opened) {
      const show = (record: object, field: string) => JSON.stringify(record[field as keyof typeof record])
      const field = Object.keys(config).find((field) => show(config, field) !== show(first.config, field))
      if (field === undefined) continue
      const message = `${field} is ${show(config, field)} in "${directory}" and ${show(first.config, field)} in ` +
        `"${first.directory}": only adapters of one config have an average`
      return yield* new SoupError({ reason: "Mismatch", message })
    }
    const sources = opened.map(({ directory, weight, name, tensors }) => {
      const own = (tensor: string) => tensor.replace(`.adapters.${name}.`, `.adapters.${first.name}.`)
      return { path: directory, weight, tensors: new Map([...tensors].map(([key, entry]) => [own(key), entry])) }
    })
    const heads = opened.every(({ hasHead }) => hasHead)
      ? yield* Effect.forEach(
        opened,
        ({ directory, weight }) =>
          Effect.map(
            openSafetensors(`${directory}/${FILES.headWeights}`),
            ({ path, tensors }) => ({ path, weight, tensors }),
          ),
      )
      : []
    const tensors: AveragedTensor[] = []
    yield* writeDirectoryWhole(output, (temporary) =>
      Effect.gen(function* () {
        const write = (file: string, bytes: Uint8Array) =>
          fs.writeFile(`${temporary}/${file}`, bytes).pipe(Effect.mapError(toStorageError(output, "write")))
        yield* write(FILES.config, first.bytes)
        tensors.push(...yield* averageTensors(sources, `${temporary}/${FILES.weights}`))
        if (heads.length === 0) return
        yield* write(FILES.headConfig, yield* read(`${first.directory}/${FILES.headConfig}`))
        tensors.push(...yield* averageTensors(heads, `${temporary}/${FILES.headWeights}`))
      }))
    return reportOf(tensors)
  })
}
