/** A value, or a function of the options that were given and of the defaults of the fields before this one. */
export type Default<T> = T | ((given: Readonly<Record<string, unknown>>) => T)

/** One thing that is wrong with options. */
export interface Fault {
  /** The option, such as `training.epochs` or `methods[0].r`; empty for all of them. */
  readonly at: string
  /** What was given and what is allowed; names the option. */
  readonly message: string
}

/** What every maker of fields takes. */
export interface Spec<T> {
  /** One line of documentation, without the default. */
  readonly doc?: string
  /** Value of an option that is left out. Default: the option stays absent. */
  readonly default?: Default<T>
  /** In words, what absence means, where `default` does not say it. */
  readonly absent?: string
  /** True if the option cannot be left out. */
  readonly required?: true
  /** In words, what is allowed, to follow "must be". Default: made from the schema. */
  readonly wanted?: string
}

/** Limits of a number, with JSON Schema's names. */
export interface Limits {
  /** Least value. */
  readonly minimum?: number
  /** Greatest value. */
  readonly maximum?: number
  /** Values are greater than this. */
  readonly exclusiveMinimum?: number
  /** Values are less than this. */
  readonly exclusiveMaximum?: number
  /** The one value that is not allowed. */
  readonly not?: { readonly const: number }
}

/** One option: documentation, default, and what is allowed, as JSON Schema. */
export interface Field<T> extends Spec<T>, Limits {
  /** Type of the value; absent where other fields here say it. */
  readonly type?: "integer" | "number" | "boolean" | "string" | "array" | "object"
  /** The values that are allowed. */
  readonly enum?: ReadonlyArray<T>
  /** A regular expression that a text matches. */
  readonly pattern?: string
  /** Field of a list's items. */
  readonly items?: Field<unknown>
  /** Least number of items. */
  readonly minItems?: number
  /** Field of the values of an object by name. */
  readonly additionalProperties?: Field<unknown>
  /** Field of the names of an object. */
  readonly propertyNames?: Field<string>
  /** Options of an object. */
  readonly properties?: Fields
  /** Fields of which one must allow the value. */
  readonly anyOf?: ReadonlyArray<Field<unknown>>
  /** What is wrong with a value, where a schema cannot say it. A field with this alone stays out of files. */
  readonly faults?: (value: unknown, at: string) => ReadonlyArray<Fault>
  /** For the compiler alone: type of the value. */
  readonly value?: T
}

/** Fields by the name of their option. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** A {@link Field} whose type says if it has a default and if it is required. */
export type Made<T, S> =
  & Field<T>
  & (S extends { readonly default: unknown } ? { readonly default: Default<T> } : unknown)
  & (S extends { readonly required: true } ? { readonly required: true } : unknown)

/** Type of a field's value. */
export type ValueOf<F> = F extends { readonly value?: infer T } ? Exclude<T, undefined> : never

/**
 * The fields of `Options`. The compiler holds the table to the type: every option has a field of its type, one that must be
 * given is `required`, and any other has a default unless it is among `Open`.
 */
export type OptionTable<Options, Open extends keyof Options = never> = {
  readonly [Name in keyof Options]-?:
    & Field<Exclude<Options[Name], undefined>>
    & (object extends Pick<Options, Name> ? Name extends Open ? unknown : { readonly default: unknown }
      : { readonly required: true })
}

/** Options with their defaults; those among `Open` may be absent. */
export type Resolved<Options, Open extends keyof Options = never> =
  & Required<Omit<Options, Open>>
  & Pick<Options, Open>
