/**
 * A model's `config.json`: a plain record, read field by field with checks. It knows no model family.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../contracts/attempt.ts"
import { JsonError } from "./json_error.ts"
import { readJson } from "./json_file.ts"
import type { StorageError } from "../files/storage_error.ts"

/** What a field may be if it is not there. Without a default it must be there. */
export interface FieldOptions<A> {
  /** Taken when the field is absent or null. */
  readonly default?: A
}
/** Bounds of a numeric field. */
export interface NumberFieldOptions extends FieldOptions<number> {
  /** Smallest value allowed; {@link ConfigReader.integer} takes 1 if nothing is said. */
  readonly min?: number
}
/** Choices of a text field. */
export interface StringFieldOptions extends FieldOptions<string> {
  /** The values allowed; any text if not given. */
  readonly choices?: ReadonlyArray<string>
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Reads fields of a JSON object. Every getter throws {@link JsonError} (reason `Value`) when the field is not what it
 * must be; {@link ConfigReader.decode} turns that into a typed failure.
 */
export class ConfigReader {
  /** How errors name the file; nested readers add the field: `config.json: rope_scaling`. */
  readonly file: string
  /** All fields, as in the file. */
  readonly record: Readonly<Record<string, unknown>>
  readonly #asked = new Set<string>()
  readonly #nulls = new Set<string>()

  /** Reads `record`; errors name it `file`. */
  constructor(file: string, record: Readonly<Record<string, unknown>>) {
    this.file = file
    this.record = record
  }

  /** Whether a field is there and not null. */
  has(name: string): boolean {
    this.#asked.add(name)
    return Object.hasOwn(this.record, name) && this.record[name] !== null
  }

  /** Fields that are there and that nobody has asked for. */
  unread(): ReadonlyArray<string> {
    return Object.keys(this.record).filter((name) => !this.#asked.has(name))
  }

  /** Fields that are null and for which a default was taken. */
  nulls(): ReadonlyArray<string> {
    return [...this.#nulls]
  }

  /** Fields that were asked for, there or not. */
  asked(): ReadonlyArray<string> {
    return [...this.#asked]
  }

  /** An integer, at least 1 unless `min` says otherwise. */
  integer(name: string, options: NumberFieldOptions = {}): number {
    const min = options.min ?? 1
    const wanted = min === 1 ? "a positive integer" : `an integer of at least ${min}`
    return this.#read(name, wanted, options, (value) => Number.isSafeInteger(value) && (value as number) >= min)
  }

  /** A finite number. */
  number(name: string, options: NumberFieldOptions = {}): number {
    const { min } = options
    const wanted = min === undefined ? "a number" : `a number of at least ${min}`
    return this.#read(
      name,
      wanted,
      options,
      (value) => Number.isFinite(value) && (value as number) >= (min ?? -Infinity),
    )
  }

  /** `true` or `false`. */
  boolean(name: string, options: FieldOptions<boolean> = {}): boolean {
    return this.#read(name, "true or false", options, (value) => typeof value === "boolean")
  }

  /** Text, one of `choices` if given. */
  string(name: string, options: StringFieldOptions = {}): string {
    const { choices } = options
    const wanted = choices === undefined ? "a string" : `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`
    return this.#read(
      name,
      wanted,
      options,
      (value) => typeof value === "string" && (choices === undefined || choices.includes(value)),
    )
  }

  /** A list of texts. */
  strings(name: string, options: FieldOptions<ReadonlyArray<string>> = {}): ReadonlyArray<string> {
    return this.#read(
      name,
      "a list of strings",
      options,
      (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
    )
  }

  /** An object inside, as a reader of its own. */
  object(name: string): ConfigReader {
    return new ConfigReader(`${this.file}: ${name}`, this.#read(name, "an object", {}, isRecord))
  }

  /** What `read` gives, or undefined when the field is absent or null: `config.optional("head_dim", (name) => config.integer(name))`. */
  optional<A>(name: string, read: (name: string) => A): A | undefined {
    return this.has(name) ? read(name) : undefined
  }

  /** The error for a field that is not what it must be: for checks beyond the getters'. */
  error(name: string, wanted: string): JsonError {
    const got = Object.hasOwn(this.record, name) ? `got ${JSON.stringify(this.record[name])}` : "but it is missing"
    return new JsonError({
      reason: "Value",
      file: this.file,
      message: `${this.file}: ${name} must be ${wanted}, ${got}`,
    })
  }

  /** Runs getters; what they throw becomes the effect's failure. */
  decode<A>(read: (config: ConfigReader) => A): Effect.Effect<A, JsonError> {
    return attempt(() => read(this), JsonError)
  }

  #read<A>(name: string, wanted: string, options: FieldOptions<A>, valid: (value: unknown) => boolean): A {
    if (!this.has(name)) {
      if (options.default !== undefined) {
        if (Object.hasOwn(this.record, name)) this.#nulls.add(name)
        return options.default
      }
      throw this.error(name, wanted)
    }
    const value = this.record[name]
    if (!valid(value)) throw this.error(name, wanted)
    return value as A
  }
}

/** A reader of a JSON value, which must be an object. Throws {@link JsonError}. */
export function objectReader(value: unknown, file: string): ConfigReader {
  if (isRecord(value)) return new ConfigReader(file, value)
  throw new JsonError({ reason: "Value", file, message: `${file}: must hold a JSON object` })
}

/** Reads a JSON file that holds one object. */
export function readConfig(
  path: string,
): Effect.Effect<ConfigReader, JsonError | StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(readJson(path), (value) => attempt(() => objectReader(value, path), JsonError))
}

/** Reads `config.json` of a model's directory. */
export function readModelConfig(
  directory: string,
): Effect.Effect<ConfigReader, JsonError | StorageError, FileSystem.FileSystem> {
  return readConfig(`${directory.replace(/\/+$/, "")}/config.json`).pipe(
    Effect.catchTag("StorageError", (error) =>
      Effect.flatMap(
        Effect.promise(() => import("./model_directory.ts")),
        ({ explainConfig }) => Effect.flatMap(explainConfig(error, directory), Effect.fail),
      )),
  )
}
