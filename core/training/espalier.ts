/**
 * What a program needs beside its methods.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type { Backend } from "../backend/backend.ts"
import type { BackendError } from "../backend/backend_error.ts"
import * as wasm from "../backend/wasm/backend.ts"
import { layer as plugins, type Plugins } from "../contracts/plugins.ts"
import { type Families, layer as families } from "../model/families.ts"

/** What {@link layer} provides. */
export type Services = Backend | Plugins | Families | FileSystem.FileSystem | Path.Path

/** Options of {@link layerWith}. */
export interface EspalierOptions {
  /** Options of the backend on the CPU. */
  readonly wasm?: wasm.WasmOptions
}

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
  return Layer.mergeAll(plugins, families, wasm.layer(options.wasm), platform)
}

/** The registries of plugins and model families, the backend, and the platform's files. Each can be given instead. */
export const layer: Layer.Layer<Services, BackendError> = layerWith({})
