/**
 * Chooses the backend: a real GPU if there is one, otherwise the CPU. The description gives the reason.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "./backend.ts"
import { BackendError } from "./backend_error.ts"
import { environmentVariable } from "./environment.ts"
import type { WasmOptions } from "./wasm/backend.ts"
import type { WebgpuOptions } from "./webgpu/backend.ts"

/** Choice of a backend. `auto`: a real GPU if there is one, otherwise the CPU. */
export type BackendChoice = "auto" | "wasm" | "webgpu"

/** Options of {@link layerWith}. */
export interface AutoOptions {
  /** The backend. Default: the environment variable `ESPALIER_BACKEND`, otherwise `auto`. Only `webgpu` accepts a
   * software adapter (lavapipe, SwiftShader). */
  readonly backend?: BackendChoice
  /** Options of the CPU backend. */
  readonly wasm?: WasmOptions
}

const VARIABLE = "ESPALIER_BACKEND"

// Imported on demand, so that a page downloads only the backend that it uses.
const wasmLayer = (options?: WasmOptions): Layer.Layer<Backend, BackendError> =>
  Layer.unwrap(Effect.map(Effect.promise(() => import("./wasm/backend.ts")), ({ layer }) => layer(options)))

const webgpuLayer = (options?: WebgpuOptions): Layer.Layer<Backend, BackendError> =>
  Layer.unwrap(Effect.map(Effect.promise(() => import("./webgpu/backend.ts")), ({ layer }) => layer(options)))

/** The chosen backend. Fails with `Unsupported` if it does not start, `BadInput` if the choice is unknown. */
export const layerWith = (options: AutoOptions): Layer.Layer<Backend, BackendError> =>
  Layer.unwrap(Effect.sync((): Layer.Layer<Backend, BackendError> => {
    const choice = options.backend ?? environmentVariable(VARIABLE) ?? "auto"
    const wasm = wasmLayer(options.wasm)
    if (choice === "wasm") return wasm
    if (choice === "webgpu") return webgpuLayer()
    if (choice !== "auto") {
      return Layer.effect(
        Backend,
        Effect.fail(
          new BackendError({
            reason: "BadInput",
            message: `There is no backend "${choice}" (${VARIABLE}): use "auto", "wasm" or "webgpu"`,
          }),
        ),
      )
    }
    return Layer.catch(webgpuLayer({ software: false }), ({ message }) =>
      Layer.effect(
        Backend,
        Effect.map(Layer.build(wasm), (context) => {
          const service = Context.get(context, Backend)
          const description = `${service.info.description} (no GPU: ${message})`
          return { ...service, info: { ...service.info, description } }
        }),
      ))
  }))

/** The backend that the environment names, otherwise the best one of this machine. */
export const layer: Layer.Layer<Backend, BackendError> = layerWith({})
