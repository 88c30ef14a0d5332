import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../../backend/backend_error.ts"
import { attempt } from "../../../contracts/attempt.ts"
import { PluginError } from "../../../contracts/plugin_error.ts"
import type { DataError } from "../../../data/data_error.ts"
import { checkAbsent } from "../../../formats/files/check_absent.ts"
import type { StorageError } from "../../../formats/files/storage_error.ts"
import { GGML_TYPES } from "../../../formats/gguf/ggml_types.ts"
import type { GgufError } from "../../../formats/gguf/gguf_error.ts"
import { writeGguf } from "../../../formats/gguf/gguf_writer.ts"
import type { JsonError } from "../../../formats/json/json_error.ts"
import { faultsOf, valueFaults } from "../../../options/check.ts"
import type { OptionTable } from "../../../options/field.ts"
import * as field from "../../../options/fields.ts"
import type { Families } from "../../load/families.ts"
import type { LoadError } from "../../load/load.ts"
import { idsOf } from "../../make_model.ts"
import type { Model } from "../../model.ts"
import { ModelError } from "../../model_error.ts"
import { sitesOn } from "../../sites/sites.ts"
import { CHECK_OPTIONS, type CheckOptions, checkWritten, prepareCheck } from "../check/check_written.ts"
import type { ExportError } from "../check/export_error.ts"
import type { SelfCheck } from "../check/check_figures.ts"
import { checkLine } from "../check/self_check.ts"
import { accountLines, type WeightAccount } from "../check/weight_account.ts"
import { type Folded, foldedWeights } from "../folded_weights.ts"
import { ggufMetadata } from "./gguf_metadata.ts"
import { ggufTarget } from "./gguf_target.ts"
import { ggufTensors, type GgufType } from "./gguf_tensors.ts"
import { groupBy } from "../group_by.ts"

/** Options of {@link saveGguf}. */
export interface SaveGgufOptions {
  /**
   * What matrices are written in. `"stored"`: what the model keeps each in, so that bytes of a quantized base leave as they
   * came. Others: numbers are rounded to the nearest that the type has. Of the 4-bit types, a matrix with a row for each token
   * of the vocabulary is Q8_0; where rows are no whole blocks, a matrix is F16. Vectors are F32 always. Default `"stored"`.
   */
  readonly type?: GgufType
  /** Ids (or methods) of the plugins that are merged. Default: all that change the model and are on. */
  readonly only?: ReadonlyArray<string>
  /** Whether to write over a file that is there. Default false. */
  readonly force?: boolean
  /** Texts of the file's metadata, by the names that follow `general.`, such as `name` or `author`. Default: none. */
  readonly general?: Readonly<Record<string, string>>
  /** How the file is checked before it takes its place; false: not at all. Default: on eight short English texts. */
  readonly check?: CheckOptions | false
}

const SAVE_GGUF_OPTIONS: OptionTable<SaveGgufOptions, "only" | "check"> = {
  type: field.choice(["stored", "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"], {
    default: "stored",
    doc: "What matrices are written in; stored: what the model keeps them in",
  }),
  only: field.list(field.text({}), { absent: "all that are on", doc: "Plugins that are merged" }),
  force: field.boolean({ default: false, doc: "Write over a file that is there" }),
  general: field.byName(field.text({}), { default: {}, doc: "Texts of the metadata" }),
  check: field.opaque<CheckOptions | false>()({
    wanted: "false or options of a check",
    faults: (value, at) => value === false ? [] : valueFaults(value, { type: "object", properties: CHECK_OPTIONS }, at),
  }),
}

/** What was written. */
export interface GgufReport {
  /** The file. */
  readonly path: string
  /** Its tensors by type. */
  readonly types: Readonly<Record<string, number>>
  /** Ids of the plugins whose updates are in it. */
  readonly merged: ReadonlyArray<string>
  /** What rounding lost, of each weight that is not as the model has it. */
  readonly accounts: ReadonlyArray<WeightAccount>
  /** Figures of the check, if there was one. */
  readonly check?: SelfCheck
  /** Both as text, line by line. */
  readonly lines: ReadonlyArray<string>
}

/** Errors of {@link saveGguf}. */
export type SaveGgufError =
  | ExportError
  | LoadError
  | ModelError
  | PluginError
  | BackendError
  | DataError
  | GgufError
  | JsonError
  | StorageError

const NOTHING: Pick<Folded, "ids" | "offsets" | "viewed"> = { ids: [], offsets: new Map(), viewed: () => undefined }

/** Writes a model, merged or without methods, as a GGUF file. */
export function saveGguf(
  given: Model,
  path: string,
  options: SaveGgufOptions,
): Effect.Effect<GgufReport, SaveGgufError, FileSystem.FileSystem | Families> {
  return Effect.gen(function* () {
    const [fault] = faultsOf(SAVE_GGUF_OPTIONS, options)
    if (fault !== undefined) return yield* new ModelError({ reason: "Options", message: fault.message })
    const { type = "stored", only, force = false, general = {}, check = {} } = options
    const model = yield* attempt(() => viewOf(given, only), PluginError)
    const { head } = model.task
    if (head.kind !== "vocabulary" || head.attention !== "causal" || Object.keys(model.tasks).length > 1) {
      return yield* new ModelError({ reason: "Unsupported", message: "only a causal language model leaves as GGUF" })
    }
    if (!force) yield* checkAbsent(path)
    const target = yield* ggufTarget(model)
    const isChanged = [...sitesOn(model).values()].some((own) => own.length > 0)
    const merges = only === undefined ? isChanged : only.length > 0
    const folded = merges ? yield* foldedWeights(model, only, "either") : NOTHING
    const { tensors: weights, accounts } = yield* attempt(() => ggufTensors(model, target, folded, type), ModelError)
    const extra = (target.dialect.tensors?.(target.config) ?? []).map(({ name, shape, read }) => ({
      name,
      shape,
      type: GGML_TYPES.find((one) => one.name === "F32")!,
      read: async (first: number, count: number) => (await read()).subarray(first, first + count),
    }))
    const tensors = [...extra, ...weights]
    const metadata = yield* ggufMetadata(model, target, tensors, general)
    const prepared = check === false ? undefined : yield* prepareCheck(model, check)
    let found: SelfCheck | undefined
    yield* writeGguf(path, metadata, tensors, undefined, (temporary) =>
      Effect.gen(function* () {
        if (prepared === undefined) return
        const rounded = accounts.map(({ type }) => type)
        found = yield* checkWritten(model, prepared, { temporary, path, rounded })
      }))
    return {
      path,
      types: Object.fromEntries(
        [...groupBy(tensors, ({ type }) => type.name)].map(([name, all]) => [name, all.length]),
      ),
      merged: [...model.merged, ...folded.ids],
      accounts,
      ...(found === undefined ? {} : { check: found }),
      lines: [...accountLines(accounts), ...(found === undefined ? [] : [`check: ${checkLine(found)}`])],
    }
  })
}

/** The model with the plugins that are merged, and no others. */
function viewOf(model: Model, only: ReadonlyArray<string> | undefined): Model {
  return only === undefined ? model : model.view({ only: [...idsOf(model, only), ...model.merged] })
}
