/**
 * What a program needs beside its methods.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "../formats/files/file_system.ts"
import * as Layer from "effect/Layer"
import type { Path } from "effect/Path"
import { type AutoOptions, layerWith as backendWith } from "../backend/auto.ts"
import type { Backend } from "../backend/backend.ts"
import type { BackendError } from "../backend/backend_error.ts"
import { layer as plugins, type Plugins } from "../contracts/plugins.ts"
import { type Families, layer as families } from "../model/load/families.ts"

/** What {@link layer} provides. */
export type Services = Backend | Plugins | Families | FileSystem.FileSystem | Path

/** Options of {@link layerWith}: which backend and how it is set up, and where files are. */
export interface EspalierOptions extends AutoOptions {
  /**
   * Files of the program by path, such as `model/config.json`, instead of the machine's. What is read must be in it;
   * what is written goes into it. For pages, whose bundles leave `@effect/platform-node` out as external.
   */
  readonly files?: Map<string, Uint8Array>
}

// Loaded when they are built: a page needs no files of the machine, a program none in memory.
const inMemory = (files: Map<string, Uint8Array>): Layer.Layer<FileSystem.FileSystem | Path> =>
  Layer.unwrap(Effect.promise(async () => {
    const [{ memoryFiles }, path] = await Promise.all([
      import("../formats/files/memory_files.ts"),
      import("effect/Path"),
    ])
    return Layer.merge(Layer.succeed(FileSystem.FileSystem, memoryFiles(files)), path.layer)
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

/** The registries of plugins and model families, the backend, and the platform's files. Each can be given instead. */
export const layer: Layer.Layer<Services, BackendError> = layerWith({})
