/** A value, or a function of the given options and of the defaults of earlier fields. */
export type Default<T> = T | ((given: Readonly<Record<string, unknown>>) => T)

/** A fault in options. */
export interface Fault {
  /** The option, such as `training.epochs` or `methods[0].r`; empty for the whole object. */
  readonly at: string
  /** Names the option, the given value and the allowed ones. */
  readonly message: string
}

/** Properties of every field. */
export interface Spec<T> {
  /** One line of documentation, without the default. */
  readonly doc?: string
  /** Value of a missing option. Default: it stays missing. */
  readonly default?: Default<T>
  /** Meaning of a missing option as text, if `default` does not show it. */
  readonly absent?: string
  /** True if the option must be given. */
  readonly required?: true
  /** Allowed values as text, after "must be". Default: derived from the schema. */
  readonly wanted?: string
}

/** Limits of a number, with JSON Schema's names. */
export interface Limits {
  /** Minimum, inclusive. */
  readonly minimum?: number
  /** Maximum, inclusive. */
  readonly maximum?: number
  /** Minimum, exclusive. */
  readonly exclusiveMinimum?: number
  /** Maximum, exclusive. */
  readonly exclusiveMaximum?: number
  /** A value that is not allowed. */
  readonly not?: { readonly const: number }
}

/** One option: documentation, default, and allowed values as JSON Schema. */
export interface Field<T> extends Spec<T>, Limits {
  /** Type of the value, unless `enum` or `anyOf` give it. */
  readonly type?: "integer" | "number" | "boolean" | "string" | "array" | "object"
  /** Allowed values. */
  readonly enum?: ReadonlyArray<T>
  /** Regular expression for a text. */
  readonly pattern?: string
  /** Field of a list's items. */
  readonly items?: Field<unknown>
  /** Minimum number of items. */
  readonly minItems?: number
  /** Field of the values of an object by name. */
  readonly additionalProperties?: Field<unknown>
  /** Field of the names of an object. */
  readonly propertyNames?: Field<string>
  /** Options of an object. */
  readonly properties?: Fields
  /** Alternatives: one of them must allow the value. */
  readonly anyOf?: ReadonlyArray<Field<unknown>>
  /** Faults of a value, for checks beyond a schema. A field with only this is not part of files. */
  readonly faults?: (value: unknown, at: string) => ReadonlyArray<Fault>
  /** Type of the value, for the compiler. */
  readonly value?: T
}

/** Fields by the name of their option. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** A {@link Field} whose type includes whether it has a default and is required. */
export type Made<T, S> =
  & Field<T>
  & (S extends { readonly default: unknown } ? { readonly default: Default<T> } : unknown)
  & (S extends { readonly required: true } ? { readonly required: true } : unknown)

/** Type of a field's value. */
export type ValueOf<F> = F extends { readonly value?: infer T } ? Exclude<T, undefined> : never

/**
 * The fields of `Options`. The compiler checks that every option has a field of its type; it is `required`, or has a default
 * unless it is in `Open`.
 */
export type OptionTable<Options, Open extends keyof Options = never> = {
  readonly [Name in keyof Options]-?:
    & Field<Exclude<Options[Name], undefined>>
    & (object extends Pick<Options, Name> ? Name extends Open ? unknown : { readonly default: unknown }
      : { readonly required: true })
}

/** Options with their defaults; those in `Open` may be missing. */
export type Resolved<Options, Open extends keyof Options = never> =
  & Required<Omit<Options, Open>>
  & Pick<Options, Open>
