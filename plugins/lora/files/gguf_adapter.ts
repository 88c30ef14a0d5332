/**
 * An adapter as a GGUF file, as llama.cpp's convert_lora_to_gguf.py writes it: `--lora` there, `ADAPTER` in a Modelfile.
 *
 * There an update is scaled by alpha / rank, with one alpha for all modules: the square root of rsLoRA goes into alpha or B,
 * and alphas by pattern into B. Rows of B are in the order of the weight's rows in GGUF.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import { faultsOf, withDefaults } from "../../../core/options/check.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { NamedValues } from "../../../core/contracts/contribution.ts"
import { PluginError, pluginError } from "../../../core/contracts/plugin_error.ts"
import { checkAbsent } from "../../../core/formats/files/check_absent.ts"
import type { StorageError } from "../../../core/formats/files/storage_error.ts"
import { GGML_TYPES } from "../../../core/formats/gguf/ggml_types.ts"
import type { GgufError } from "../../../core/formats/gguf/gguf_error.ts"
import type { GgufMetadata, GgufValue } from "../../../core/formats/gguf/gguf_types.ts"
import { type GgufTensorSource, writeGguf } from "../../../core/formats/gguf/gguf_writer.ts"
import type { Families } from "../../../core/model/load/families.ts"
import { type Model, readParameters } from "../../../core/model/mod.ts"
import { ModelError } from "../../../core/model/model_error.ts"
import { asInGguf, type GgufTarget, ggufTarget } from "../../../core/model/save/gguf/gguf_target.ts"
import type { Shape } from "../../../core/tensor/shape.ts"
import type { LazyTensor } from "../../../core/weights/weight_transform.ts"
import { A, B, EMBEDDING_A, EMBEDDING_B } from "../low_rank.ts"
import { type ResolvedOptions, startsFromBase } from "../options.ts"
import { rankAndScale } from "../targets.ts"
import { doubled, joined } from "./double_rank.ts"

/** Options of `saveGguf` of LoRA. */
export interface GgufAdapterOptions {
  /** Name of the adapter. Default `"default"`. */
  readonly adapter?: string
  /** Type of the numbers. Default `"F32"`. */
  readonly type?: "F32" | "F16"
  /** Whether to write over a file that is there. Default false. */
  readonly force?: boolean
}

/** Errors of writing one. */
export type GgufAdapterError = PluginError | ModelError | BackendError | GgufError | StorageError

const OPTIONS: OptionTable<GgufAdapterOptions> = {
  adapter: field.text({ default: "default", doc: "Name of the adapter" }),
  type: field.choice(["F32", "F16"], { default: "F32", doc: "Type of the numbers" }),
  force: field.boolean({ default: false, doc: "Write over a file that is there" }),
}

/** Writes one of some adapters. */
export function saveGgufAdapter(
  model: Model,
  path: string,
  adapters: ReadonlyMap<string, ResolvedOptions>,
  options: GgufAdapterOptions,
): Effect.Effect<void, GgufAdapterError, FileSystem.FileSystem | Families> {
  return Effect.gen(function* () {
    const [fault] = faultsOf(OPTIONS, options)
    if (fault !== undefined) return yield* new ModelError({ reason: "Options", message: fault.message })
    const { adapter, type, force } = withDefaults(OPTIONS, options)
    const given = adapters.get(adapter)
    if (given === undefined) {
      const message = `there is no adapter "${adapter}"; there are ${[...adapters.keys()].join(", ") || "none"}`
      return yield* new ModelError({ reason: "Options", message })
    }
    yield* attempt(() => checkCarried(model, given), PluginError)
    if (!force) yield* checkAbsent(path)
    const target = yield* ggufTarget(model)
    const own = yield* readParameters(model, model.parameters.filter(({ owner }) => owner === given.id))
    const [plain, values] = startsFromBase(given) ? [doubled(given), joined(own)] : [given, own]
    const alpha = plain.loraAlpha * (plain.useRslora ? Math.sqrt(plain.r) : 1)
    const tensors = yield* attempt(() => tensorsOf(model, target, plain, values, alpha), ModelError)
    const ggml = GGML_TYPES.find(({ name }) => name === type)!
    yield* writeGguf(path, metadataOf(target, given.name, alpha, type), tensors.map((one) => ({ ...one, type: ggml })))
  })
}

/** Throws where the adapter is more than the format holds. */
function checkCarried({ parameters, tied, contributions, modules }: Model, options: ResolvedOptions): void {
  const { id, useDora, bias, ownModules, variant } = options
  const refuse = (what: string) => {
    throw pluginError(id, `${what}, which a GGUF adapter cannot hold: merge it (Model.saveGguf) and ship the model`)
  }
  if (variant?.plan !== undefined) refuse(`${variant.method} adds no plain product of A and B`)
  if (variant?.fields().loftq !== undefined) refuse("it counts from a base that LoftQ changed")
  if (useDora) refuse("useDora trains the lengths of rows")
  if (bias !== "none") refuse(`bias "${bias}" trains biases`)
  if (ownModules) refuse("ownModules trains modules whole")
  const trains = contributions.find((one) => one.id === id)?.trains
  const whole = modules.find((module) => Object.keys(module.parameters).some((name) => trains?.(module, name, modules)))
  if (whole !== undefined) refuse(`"${whole.path}" trains whole`)
  const ends = new Set([...Object.keys(tied), ...Object.values(tied)])
  const end = parameters.find(({ owner, module }) => owner === id && ends.has(`${module}.weight`))
  if (end !== undefined) refuse(`"${end.module}" is adapted, and embedding and output are one matrix`)
}

/** A matrix, row-major. */
interface Matrix {
  readonly shape: Shape
  readonly data: Float32Array
}

/**
 * A and B of each module, named after the weight that they change. The one with a row for each row of the weight has its
 * rows in the weight's order: B, or at an embedding A, which GGUF has as [rows, r].
 */
function tensorsOf(
  model: Model,
  target: GgufTarget,
  options: ResolvedOptions,
  values: ReadonlyArray<NamedValues>,
  alpha: number,
): ReadonlyArray<Omit<GgufTensorSource, "type">> {
  const byKey = new Map(
    values.map(({ parameter: { module, name, shape }, data }) => [`${module} ${name}`, { shape, data }]),
  )
  const rows = new Map<string, LazyTensor>()
  const others = new Map<string, Matrix>()
  for (const module of model.modules) {
    const isEmbedding = byKey.has(`${module.path} ${EMBEDDING_A}`)
    const [a, b] = (isEmbedding ? [EMBEDDING_A, EMBEDDING_B] : [A, B]).map((name) =>
      byKey.get(`${module.path} ${name}`)
    )
    if (a === undefined || b === undefined) continue
    const { r, scale } = rankAndScale(options, module)
    const factor = scale * r / alpha
    const scaled = factor === 1 ? b : { ...b, data: b.data.map((x) => x * factor) }
    const [row, other] = isEmbedding ? [transposed(a), scaled] : [scaled, a]
    const name = `${module.path}.weight`
    rows.set(name, { name, shape: row.shape, read: () => Promise.resolve(row.data) })
    others.set(name, other)
  }
  return [...asInGguf(model, target, rows)].flatMap(([name, { name: key, shape, read }]) => {
    const other = others.get(key)!
    const row = { shape, read: async (first: number, count: number) => (await read()).subarray(first, first + count) }
    const plain = {
      shape: other.shape,
      read: (first: number, count: number) => other.data.subarray(first, first + count),
    }
    const [a, b] = byKey.has(`${key.replace(/\.weight$/, "")} ${EMBEDDING_A}`) ? [row, plain] : [plain, row]
    return [{ name: `${name}.lora_a`, ...a }, { name: `${name}.lora_b`, ...b }]
  })
}

function transposed({ shape: [rows, columns], data }: Matrix): Matrix {
  const out = new Float32Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]
  return { shape: [columns, rows], data: out }
}

function metadataOf({ architecture }: GgufTarget, name: string, alpha: number, type: "F32" | "F16"): GgufMetadata {
  const text = (value: string): GgufValue => ({ type: "string", value })
  return new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("adapter")],
    ["general.name", text(name)],
    ["general.file_type", { type: "uint32", value: type === "F32" ? 0 : 1 }],
    ["adapter.type", text("lora")],
    ["adapter.lora.alpha", { type: "float32", value: alpha }],
  ])
}
