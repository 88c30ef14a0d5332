import { DataError, quoted } from "../data_error.ts"

/** An error of a tokenizer's files. */
export const tokenizerError = (message: string, cause?: unknown): DataError =>
  new DataError({ reason: "Tokenizer", message, ...(cause === undefined ? {} : { cause }) })

/** What a value is, as a person would say it. */
const kindOf = (value: unknown): string =>
  value === undefined ? "absent" : value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`

/**
 * The fields of one JSON object. A field of another type than it should have is an error that names it; fields that were
 * not asked for are told by {@link Fields.done}.
 */
export class Fields {
  /** The object itself. */
  readonly value: Readonly<Record<string, unknown>>
  /** Where the object lies: "DIR/tokenizer.json: pre_tokenizer". */
  readonly where: string
  /** What a person should know. */
  readonly notes: Array<string>
  readonly #asked = new Set<string>()

  /** Takes an object; anything else is an error. */
  constructor(value: unknown, where: string, notes: Array<string>) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw tokenizerError(`${where} should be an object, it is ${kindOf(value)}`)
    }
    this.value = value as Readonly<Record<string, unknown>>
    this.where = where
    this.notes = notes
  }

  /** An error about one field. */
  error(name: string, problem: string): DataError {
    return tokenizerError(`${this.where}: field "${name}" ${problem}`)
  }

  /** A field of any type; undefined when it is absent. */
  any(name: string): unknown {
    this.#asked.add(name)
    return this.value[name]
  }

  #of<A>(name: string, type: string, fits: (value: unknown) => boolean, fallback: A | undefined): A {
    const value = this.any(name)
    if (fits(value)) return value as A
    if (value === undefined && fallback !== undefined) return fallback
    throw this.error(name, value === undefined ? "is missing" : `should be ${type}, it is ${kindOf(value)}`)
  }

  /** A text; without a fallback it must be there. */
  string(name: string, fallback?: string): string {
    return this.#of(name, "a text", (value) => typeof value === "string", fallback)
  }

  /** A single character. */
  character(name: string): string {
    const text = this.string(name)
    if ([...text].length === 1) return text
    throw this.error(name, `should be one character, it is ${JSON.stringify(text)}`)
  }

  /** True or false. */
  boolean(name: string, fallback?: boolean): boolean {
    return this.#of(name, "true or false", (value) => typeof value === "boolean", fallback)
  }

  /** A whole number from 0 on. */
  count(name: string, fallback?: number): number {
    return this.#of(name, "a whole number", (value) => Number.isInteger(value) && value as number >= 0, fallback)
  }

  /** A list. */
  list(name: string): ReadonlyArray<unknown> {
    return this.#of<ReadonlyArray<unknown>>(name, "a list", Array.isArray, undefined)
  }

  /** A value that may be null or absent, by one of the readers above. */
  optional<A>(name: string, read: (name: string) => A): A | undefined {
    const value = this.any(name)
    return value === undefined || value === null ? undefined : read.call(this, name)
  }

  /** An object within. */
  fields(name: string): Fields {
    return new Fields(this.any(name), `${this.where}.${name}`, this.notes)
  }

  /** A list of objects. */
  items(name: string): ReadonlyArray<Fields> {
    return this.list(name).map((item, at) => new Fields(item, `${this.where}.${name}[${at}]`, this.notes))
  }

  /** One of a few texts. */
  choice<A extends string>(name: string, choices: ReadonlyArray<A>, fallback?: A): A {
    const value = this.string(name, fallback) as A
    if (choices.includes(value)) return value
    throw this.error(name, `is ${JSON.stringify(value)}; known: ${quoted(choices)}`)
  }

  /** Passes over fields that do not matter. */
  ignore(...names: ReadonlyArray<string>): void {
    for (const name of names) this.#asked.add(name)
  }

  /** Tells of the fields that were not asked for. */
  done(): void {
    const left = Object.keys(this.value).filter((name) => !this.#asked.has(name))
    if (left.length > 0) this.notes.push(`${this.where}: not known, so passed over: ${quoted(left)}`)
  }
}
