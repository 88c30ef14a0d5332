/**
 * The services that a program needs besides its methods.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../formats/files/file_system.ts"
import * as Layer from "effect/Layer"
import type { Path } from "effect/Path"
import { type AutoOptions, layerWith as backendWith } from "../backend/auto.ts"
import type { Backend } from "../backend/backend.ts"
import type { BackendError } from "../backend/backend_error.ts"
import { layer as plugins, type Plugins } from "../contracts/plugins.ts"
import { type Families, layer as families } from "../model/load/families.ts"

/** Services that {@link layer} provides. */
export type Services = Backend | Plugins | Families | FileSystem.FileSystem | Path

/** Options of {@link layerWith}: the backend and the files. */
export interface EspalierOptions extends AutoOptions {
  /**
   * Files in memory by path, such as `model/config.json`, for reading and writing. For web pages, whose bundles exclude
   * `@effect/platform-node`. Default: the machine's files.
   */
  readonly files?: Map<string, Uint8Array>
}

// Imported on demand: a page needs no files of the machine, a program none in memory.
const inMemory = (files: Map<string, Uint8Array>): Layer.Layer<FileSystem.FileSystem | Path> =>
  Layer.unwrap(Effect.promise(async () => {
    const [{ memoryFiles }, path] = await Promise.all([
      import("../formats/files/memory_files.ts"),
      import("effect/Path"),
    ])
    return Layer.merge(Layer.succeed(fileSystem, memoryFiles(files)), path.layer)
  }))

const platform: Layer.Layer<FileSystem.FileSystem | Path> = Layer.unwrap(Effect.promise(async () => {
  const [files, path] = await Promise.all([
    import("@effect/platform-node/NodeFileSystem"),
    import("@effect/platform-node/NodePath"),
  ])
  return Layer.merge(files.layer, path.layer)
}))

/** {@link layer} with options. */
export function layerWith(options: EspalierOptions): Layer.Layer<Services, BackendError> {
  const files = options.files === undefined ? platform : inMemory(options.files)
  return Layer.mergeAll(plugins, families, backendWith(options), files)
}

/** The registries of plugins and model families, the backend, and the machine's files. Each can be replaced. */
export const layer: Layer.Layer<Services, BackendError> = layerWith({})
