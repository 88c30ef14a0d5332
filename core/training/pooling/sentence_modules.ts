/**
 * What a directory says of embeddings beside its model: sentence-transformers' `modules.json`.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { pathExists } from "../../formats/files/path_exists.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { JsonError } from "../../formats/json/json_error.ts"
import { readJson } from "../../formats/json/json_file.ts"
import { type ConfigReader, objectReader, readConfig } from "../../formats/json/model_config.ts"
import { openSafetensors, readTensor } from "../../formats/safetensors/checkpoint.ts"
import { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import { attempt } from "../../contracts/attempt.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { meanOfTokens, type Pooling, POOLINGS } from "./pooling.ts"

/** A product with a matrix after the pooling. */
export interface Dense {
  /** [out, in], row-major. */
  readonly weight: Float32Array
  /** [out]; undefined for none. */
  readonly bias: Float32Array | undefined
  readonly shape: readonly [out: number, from: number]
  readonly activation: (x: Tensor) => Tensor
}

/** How hidden states become an embedding. */
export interface SentenceModules {
  readonly pooling: Pooling
  readonly dense: ReadonlyArray<Dense>
  readonly normalize: boolean
}

/** Where there is no `modules.json`. */
export const PLAIN: SentenceModules = { pooling: meanOfTokens, dense: [], normalize: false }

/** Why the modules of a directory cannot be read. */
export type SentenceModulesError = JsonError | StorageError | SafetensorsError

/** Names of `modules.json`'s types, by their last part. */
const ORDER = /^Transformer Pooling( Dense)*( Normalize)?$/

/** The modules of a directory. Fails where one is not known here. */
export function readSentenceModules(
  directory: string,
): Effect.Effect<SentenceModules, SentenceModulesError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const file = `${directory}/modules.json`
    if (directory === "" || !(yield* pathExists(file))) return PLAIN
    const json = yield* readJson(file)
    const modules = yield* attempt(() => modulesIn(json, file), JsonError)
    const of = (kind: string) => modules.filter((one) => one.kind === kind).map(({ path }) => `${directory}/${path}`)
    const pooling = yield* readConfig(`${of("Pooling")[0]}/config.json`)
    return {
      pooling: yield* pooling.decode(poolingIn),
      dense: yield* Effect.forEach(of("Dense"), readDense),
      normalize: of("Normalize").length > 0,
    }
  })
}

function modulesIn(json: unknown, file: string): ReadonlyArray<{ readonly kind: string; readonly path: string }> {
  const modules = (Array.isArray(json) ? json : []).map((one) => {
    const fields = objectReader(one, file)
    return { kind: fields.string("type").split(".").at(-1)!, path: fields.string("path") }
  })
  const kinds = modules.map(({ kind }) => kind).join(" ")
  if (ORDER.test(kinds)) return modules
  const message = `${file}: modules must be Transformer, Pooling, any number of Dense, and at most one Normalize, in ` +
    `this order; got ${kinds || "none"}`
  throw new JsonError({ reason: "Value", file, message })
}

/** One mode, as a name or as fields that are true. */
function poolingIn(config: ConfigReader): Pooling {
  const found = config.has("pooling_mode")
    ? [config.string("pooling_mode")]
    : Object.keys(config.record).filter((name) => name.startsWith("pooling_mode_") && config.record[name] === true)
      .map((name) => name.slice("pooling_mode_".length))
  const known = found.length === 1 && Object.hasOwn(POOLINGS, found[0]) ? POOLINGS[found[0]] : undefined
  if (known !== undefined) return known
  const message = `${config.file}: the pooling mode must be one of ${Object.keys(POOLINGS).join(", ")}; got ` +
    (found.join(" and ") || "none")
  throw new JsonError({ reason: "Value", file: config.file, message })
}

const ACTIVATIONS: Readonly<Record<string, Dense["activation"]>> = {
  Identity: (x) => x,
  Tanh: ops.tanh,
  ReLU: ops.relu,
  GELU: ops.gelu,
  SiLU: ops.silu,
}

function readDense(directory: string): Effect.Effect<Dense, SentenceModulesError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const config = yield* readConfig(`${directory}/config.json`)
    const { bias, shape, activation } = yield* config.decode((config) => {
      const name = config.string("activation_function", { default: "torch.nn.modules.activation.Tanh" })
      const activation = ACTIVATIONS[name.split(".").at(-1)!]
      if (activation === undefined) {
        throw config.error("activation_function", `one of ${Object.keys(ACTIVATIONS).join(", ")} of torch.nn`)
      }
      const shape = [config.integer("out_features"), config.integer("in_features")] as const
      return { bias: config.boolean("bias", { default: true }), shape, activation }
    })
    const file = `${directory}/model.safetensors`
    const { tensors } = yield* openSafetensors(file)
    const read = (name: string, wanted: ReadonlyArray<number>) =>
      Effect.gen(function* () {
        const entry = tensors.get(name)
        if (entry === undefined || `${entry.shape}` !== `${wanted}`) {
          const message = `${file}: "${name}" must be there with the shape [${wanted}]`
          return yield* new SafetensorsError({ reason: "Shape", file, message })
        }
        const data = new Float32Array(wanted.reduce((a, b) => a * b, 1))
        yield* readTensor(entry, (piece, offset) => data.set(piece, offset))
        return data
      })
    const weight = yield* read("linear.weight", shape)
    return { weight, bias: bias ? yield* read("linear.bias", shape.slice(0, 1)) : undefined, shape, activation }
  })
}
