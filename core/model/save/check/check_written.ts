/**
 * The check at the end of a merge or an export: what was written is loaded again and answers prompts beside the model.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { Backend } from "../../../backend/backend.ts"
import type { BackendError } from "../../../backend/backend_error.ts"
import { Plugins, type PluginsService } from "../../../contracts/plugins.ts"
import { attempt, type DataError } from "../../../data/data_error.ts"
import { loadTokenizer } from "../../../data/tokenizer_files/load_tokenizer.ts"
import { faultsOf, mustBe } from "../../../options/check.ts"
import type { OptionTable } from "../../../options/field.ts"
import * as field from "../../../options/fields.ts"
import type { Families } from "../../load/families.ts"
import { load, type LoadError } from "../../load/load.ts"
import type { Model } from "../../model.ts"
import { type EncodedPrompts, encodePrompts } from "./check_prompts.ts"
import { ExportError } from "./export_error.ts"
import type { SelfCheck, Tolerance } from "./check_figures.ts"
import { type Answers, answersOf, compareAnswers, judge } from "./self_check.ts"

/** How what was written is checked. */
export interface CheckOptions {
  /** Texts, or token ids, like those that the model is for. Default: eight short English texts. */
  readonly prompts?: ReadonlyArray<string | Int32Array>
  /** Most tokens of a prompt that are compared. Default 64. */
  readonly maxTokens?: number
  /**
   * How far it may be from the model. Default by what weights were rounded to, in logits, agreement and factor of the
   * perplexity: nothing or F32 0.001, 99.5 %, 1.0001; F16 and offsets 0.5, 98 %, 1.005; BF16 2, 95 %, 1.02; Q8_0 5, 90 %, 1.03;
   * fewer bits 30, 60 %, 1.5.
   */
  readonly tolerance?: Partial<Tolerance>
}

const isPrompt = (value: unknown) => typeof value === "string" || value instanceof Int32Array

const PROMPT = field.opaque<string | Int32Array>()({
  wanted: "a text or token ids",
  faults: (value, at) => isPrompt(value) ? [] : [mustBe(at, "a text or an Int32Array of token ids", value)],
})

/** {@link CheckOptions} as a table. */
export const CHECK_OPTIONS: OptionTable<CheckOptions, "prompts" | "tolerance"> = {
  prompts: field.list(PROMPT, {
    minItems: 1,
    absent: "eight short texts",
    doc: "Texts that both answer",
  }),
  maxTokens: field.integer({ minimum: 2, default: 64, doc: "Most tokens of a prompt that are compared" }),
  tolerance: field.record<Partial<Tolerance>>()({
    logits: field.number({ minimum: 0, absent: "by type", doc: "Largest difference of two logits" }),
    agreement: field.number({ minimum: 0, maximum: 1, absent: "by type", doc: "Smallest share of equal tokens" }),
    perplexity: field.number({ minimum: 1, absent: "by type", doc: "Largest factor of the perplexity" }),
  }, { absent: "by type", doc: "How far it may be from the model" }),
}

/** What is allowed, by what weights were rounded to. Of several the widest counts. */
export const TOLERANCES: Readonly<Record<string, Tolerance>> = {
  F32: { logits: 1e-3, agreement: 0.995, perplexity: 1.0001 },
  F16: { logits: 0.5, agreement: 0.98, perplexity: 1.005 },
  BF16: { logits: 2, agreement: 0.95, perplexity: 1.02 },
  Q8_0: { logits: 5, agreement: 0.9, perplexity: 1.03 },
}
/** What is allowed of types with fewer bits. */
const FEW_BITS: Tolerance = { logits: 30, agreement: 0.6, perplexity: 1.5 }

/** Offsets are rounded to halves. */
const toleranceOf = (type: string) => type.endsWith(" offsets") ? TOLERANCES.F16 : TOLERANCES[type] ?? FEW_BITS

/** What was written has no methods beside it. */
const NO_PLUGINS: PluginsService = { register: () => Effect.void, all: Effect.succeed([]) }

/** A check before anything is written. */
export interface PreparedCheck extends EncodedPrompts {
  readonly options: CheckOptions
  readonly before: Answers
}

/** What a model answers now. Its logits stay in memory until the check. */
export function prepareCheck(
  model: Model,
  options: CheckOptions,
): Effect.Effect<PreparedCheck, ExportError | DataError | BackendError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const [fault] = faultsOf(CHECK_OPTIONS, options)
    if (fault !== undefined) return yield* new ExportError({ reason: "Options", message: `check: ${fault.message}` })
    const { prompts: texts, maxTokens = 64 } = options
    const encoded = yield* encodePrompts(model, texts, maxTokens)
    if (encoded.prompts.length === 0) {
      const message = "check: no prompt has two tokens or more; give longer ones"
      return yield* new ExportError({ reason: "Options", message })
    }
    return { options, ...encoded, before: yield* answersOf(model, encoded.prompts) }
  })
}

/**
 * Loads what was written and compares its answers. In memory at a time: the model, and what was written as it is kept in the
 * file. Fails with an {@link ExportError} beyond the tolerance.
 *
 * @param temporary Where it lies.
 * @param path Where it is to be, for the error.
 * @param rounded What weights were rounded to.
 */
export function checkWritten(
  model: Model,
  { options, prompts, cut, before }: PreparedCheck,
  { temporary, path, rounded }: {
    readonly temporary: string
    readonly path: string
    readonly rounded: Iterable<string>
  },
): Effect.Effect<SelfCheck, ExportError | LoadError | DataError | BackendError, FileSystem.FileSystem | Families> {
  return Effect.gen(function* () {
    if (cut !== undefined) {
      const { encode } = yield* loadTokenizer(temporary)
      const ids = yield* attempt(() => encode(cut.text))
      if (`${ids}` !== `${cut.ids}`) {
        const text = JSON.stringify(cut.text)
        const message = `"${path}" was not written: its tokenizer would cut ${text} otherwise than the model's`
        return yield* new ExportError({ reason: "Inexact", message })
      }
    }
    const after = yield* Effect.scoped(
      Effect.flatMap(load(temporary, { task: model.task, frozen: true }), (written) => answersOf(written, prompts)),
    )
    const tolerance = { ...widest(rounded), ...options.tolerance }
    const check = compareAnswers(model, prompts, before, after, tolerance)
    const error = judge(check, path)
    return error === undefined ? check : yield* error
  }).pipe(Effect.provideService(Plugins, NO_PLUGINS), Effect.provideService(Backend, model.backend))
}

/** The widest tolerance of some types. */
function widest(types: Iterable<string>): Tolerance {
  return [...types].map(toleranceOf).reduce((a, b) => ({
    logits: Math.max(a.logits, b.logits),
    agreement: Math.min(a.agreement, b.agreement),
    perplexity: Math.max(a.perplexity, b.perplexity),
  }), TOLERANCES.F32)
}
