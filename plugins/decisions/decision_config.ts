import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import { pathExists } from "../../core/formats/files/path_exists.ts"
import type { QuestionType } from "./question_type.ts"
import { DecisionError } from "./decision_error.ts"

/** How a model answers questions: transformers' `decision.json` and `decision_template.jinja`. */
export interface DecisionConfig {
  /** Single-token labels of options by type of question. Default: Yes and No for `noul`, else A, B, C and so on. */
  readonly labels: Readonly<Partial<Record<QuestionType, ReadonlyArray<string>>>>
  /** What scores are divided by, by type of question. Default 1. */
  readonly temperature: Readonly<Partial<Record<QuestionType, number>>>
  /** Jinja template of the prompt. Default: a general one, in the model's chat template. */
  readonly template?: string
  /** Order of the options of a `noul` question. Default true, false. */
  readonly noulOptions: ReadonlyArray<"true" | "false">
  /** Whether special tokens in a request are refused. Default true. */
  readonly sanitizeControlTokens: boolean
}

/** The settings of a model that has no file of them. */
export const DEFAULT_CONFIG: DecisionConfig = {
  labels: {},
  temperature: {},
  noulOptions: ["true", "false"],
  sanitizeControlTokens: true,
}

const CONFIG = "decision.json", TEMPLATE = "decision_template.jinja"

const wrong = (message: string) => new DecisionError({ reason: "Config", message })

/** Reads `decision.json` and `decision_template.jinja` of a directory; what is not there is as by default. */
export function load(directory: string): Effect.Effect<DecisionConfig, DecisionError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const read = (name: string) =>
      Effect.gen(function* () {
        const path = `${directory}/${name}`
        return (yield* pathExists(path)) ? yield* fs.readFileString(path) : undefined
      }).pipe(Effect.mapError((error) => wrong(`${directory}/${name} cannot be read: ${(error as Error).message}`)))
    const [config, template] = [yield* read(CONFIG), yield* read(TEMPLATE)]
    const given = yield* Effect.try({
      try: () => parsed(config === undefined ? {} : JSON.parse(config), `${directory}/${CONFIG}`),
      catch: (error) => error instanceof DecisionError ? error : wrong(`${directory}/${CONFIG} is not JSON`),
    })
    return { ...given, ...template === undefined ? {} : { template } }
  })
}

/** Settings from the contents of a `decision.json`. Throws {@link DecisionError} on what is not understood. */
function parsed(value: unknown, at: string): DecisionConfig {
  const { labels = {}, temperature = {}, noul_options = ["true", "false"], ...rest } = value as Record<string, unknown>
  const { sanitize_control_tokens = true, adapter = null, ...others } = rest
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw wrong(`${at} has the unknown field "${unknown}"`)
  if (adapter !== null) {
    throw wrong(`${at}: the adapter in "${adapter}" must be loaded with the model: give its folder to the method`)
  }
  const types = (field: string, entry: unknown, fits: (own: unknown) => boolean, what: string) => {
    for (const [type, own] of Object.entries(entry as object)) {
      if (!["noul", "choice", "score"].includes(type) || !fits(own)) {
        throw wrong(`${at}: ${field}.${type} must be ${what}`)
      }
    }
  }
  const texts = (own: unknown) => Array.isArray(own) && own.every((one) => typeof one === "string")
  types("labels", labels, texts, "a list of texts, of noul, choice or score")
  types(
    "temperature",
    temperature,
    (own) => typeof own === "number" && own > 0,
    "a number above 0, of noul, choice or score",
  )
  if (!texts(noul_options) || [...noul_options as Array<string>].sort().join() !== "false,true") {
    throw wrong(`${at}: noul_options must order "true" and "false", got ${JSON.stringify(noul_options)}`)
  }
  if (typeof sanitize_control_tokens !== "boolean") throw wrong(`${at}: sanitize_control_tokens must be true or false`)
  return {
    labels: labels as DecisionConfig["labels"],
    temperature: temperature as DecisionConfig["temperature"],
    noulOptions: noul_options as DecisionConfig["noulOptions"],
    sanitizeControlTokens: sanitize_control_tokens,
  }
}

/** Writes `decision.json`, and `decision_template.jinja` where there is a template, beside a model or an adapter. */
export function save(
  directory: string,
  config: DecisionConfig,
): Effect.Effect<void, DecisionError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const { labels, temperature, noulOptions, sanitizeControlTokens, template } = config
    const written = {
      labels,
      temperature,
      noul_options: noulOptions,
      sanitize_control_tokens: sanitizeControlTokens,
      adapter: null,
    }
    yield* fs.makeDirectory(directory, { recursive: true })
    if (template !== undefined) yield* fs.writeFileString(`${directory}/${TEMPLATE}`, template)
    yield* fs.writeFileString(`${directory}/${CONFIG}`, `${JSON.stringify(written, null, 2)}\n`)
  }).pipe(Effect.mapError((error) => wrong(`${directory}: ${(error as Error).message}`)))
}
