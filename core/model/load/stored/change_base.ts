import * as Effect from "effect/Effect"
import type { StoredAs } from "../../../../kernels/contract.ts"
import { inBlocks } from "../../../../kernels/encoding.ts"
import { encodingOf } from "../../../../kernels/encodings.ts"
import { BackendError } from "../../../backend/backend_error.ts"
import { inBackend } from "../../../backend/in_backend.ts"
import { decoded, encoded } from "../../../backend/slots/slots.ts"
import { PluginError, pluginError } from "../../../contracts/plugin_error.ts"
import type { LazyTensor } from "../../../weights/weight_transform.ts"
import { initialValues } from "../../initial_values.ts"
import type { Model } from "../../model.ts"

/** Where the base's weights came from. */
interface Sources {
  readonly seed: number
  readonly files: ReadonlyMap<string, LazyTensor>
}

/** Numbers as memory would hold them. */
function bytesOf(storage: StoredAs | undefined, data: Float32Array): Uint8Array<ArrayBuffer> {
  const encoding = encodingOf(storage)
  const bytes = encoded(encoding, data)
  if (inBlocks(encoding)) encoding.settle?.(bytes)
  return bytes
}

/** Lets plugins change frozen weights of the base. */
export function changeBase(
  { contributions, modules, parameters, backend, tied }: Model,
  { seed, files }: Sources,
): Effect.Effect<void, PluginError | BackendError> {
  const changed = new Map<string, string>()
  const weightsFor = (id: string) => {
    const parameterOf = (name: string) => {
      const key = tied[name] ?? name
      const found = parameters.find((parameter) => parameter.owner === "base" && parameter.key === key)
      if (found === undefined) throw pluginError(id, `no parameter "${name}" of the base`)
      return found
    }
    return {
      modules,
      stored: (name: string) =>
        Effect.suspend(() => {
          const parameter = parameterOf(name), tensor = files.get(parameter.key)
          if (tensor === undefined) return Effect.succeed(initialValues(parameter, seed, parameter.key))
          if (tensor.packed === undefined) return Effect.promise(() => tensor.read())
          const message =
            `"${name}" lies in its file in ${tensor.packed.encoding.name}: what it was before is not known`
          return Effect.fail(pluginError(id, message))
        }),
      inBlocks: (name: string) => encodingOf(parameterOf(name).slot.storage).block > 1,
      rounded: (name: string, data: Float32Array) => {
        const { slot: { storage } } = parameterOf(name)
        return decoded(encodingOf(storage), bytesOf(storage, data), data.length)
      },
      write: (name: string, data: Float32Array) =>
        Effect.gen(function* () {
          const { key, slot, trainable } = parameterOf(name), other = changed.get(key)
          if (trainable || other !== undefined) {
            return yield* pluginError(
              id,
              `it changes "${key}", which ${other === undefined ? "trains" : `${other} changes`}`,
            )
          }
          changed.set(key, id)
          yield* inBackend(() => backend.write(slot, bytesOf(slot.storage, data)))
        }),
    }
  }
  return Effect.forEach(
    contributions,
    ({ id, changesBase }) =>
      changesBase === undefined ? Effect.void : changesBase(weightsFor(id)).pipe(
        Effect.mapError((error) =>
          error instanceof PluginError || error instanceof BackendError ? error : pluginError(id, error.message)
        ),
      ),
    { discard: true },
  )
}
