/**
 * What a program needs beside its methods.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { type AutoOptions, layerWith as backendWith } from "../backend/auto.ts"
import type { Backend } from "../backend/backend.ts"
import type { BackendError } from "../backend/backend_error.ts"
import { layer as plugins, type Plugins } from "../contracts/plugins.ts"
import { memoryFiles } from "../formats/files/memory_files.ts"
import { type Families, layer as families } from "../model/load/families.ts"

/** What {@link layer} provides. */
export type Services = Backend | Plugins | Families | FileSystem.FileSystem | Path.Path

/** Options of {@link layerWith}: which backend and how it is set up, and where files are. */
export interface EspalierOptions extends AutoOptions {
  /**
   * Files of the program by path, such as `model/config.json`, instead of the machine's. What is read must be in it;
   * what is written goes into it. For pages, whose bundles leave `@effect/platform-node` out as external.
   */
  readonly files?: Map<string, Uint8Array>
}

const inMemory = (files: Map<string, Uint8Array>) =>
  Layer.merge(Layer.succeed(FileSystem.FileSystem, memoryFiles(files)), Path.layer)

// Loaded when it is built, so that a page that brings files of its own never needs it.
const platform: Layer.Layer<FileSystem.FileSystem | Path.Path> = Layer.unwrap(Effect.promise(async () => {
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
