/**
 * Constructors of fields by type, used as a namespace: `field.integer({ minimum: 1, default: 8, doc: "Rank" })`.
 * @module
 */
import type { Fault, Field, Limits, Made, OptionTable, Spec, ValueOf } from "./field.ts"

/** Makes properties of `S` that are not in `Allowed` a type error. */
type Only<S, Allowed> = { readonly [Name in Exclude<keyof S, keyof Allowed>]: never }

const make = <T, S>(field: object): Made<T, S> => field as Field<T> as Made<T, S>

/** A whole number. */
export function integer<const S extends Spec<number> & Limits>(
  spec: S & Only<S, Spec<number> & Limits>,
): Made<number, S> {
  return make({ type: "integer", ...spec })
}

/** A finite number. */
export function number<const S extends Spec<number> & Limits>(
  spec: S & Only<S, Spec<number> & Limits>,
): Made<number, S> {
  return make({ type: "number", ...spec })
}

/** True or false. */
export function boolean<const S extends Spec<boolean>>(spec: S & Only<S, Spec<boolean>>): Made<boolean, S> {
  return make({ type: "boolean", ...spec })
}

/** A text. */
export function text<T extends string = string, const S extends Spec<T> = Spec<T>>(
  spec: S & { readonly pattern?: string } & Only<S, Spec<T> & { readonly pattern?: string }>,
): Made<T, S> {
  return make({ type: "string", ...spec })
}

/** One of some values. */
export function choice<const T extends string | number, const S extends Spec<T>>(
  values: ReadonlyArray<T>,
  spec: S & Only<S, Spec<T>>,
): Made<T, S> {
  return make({ enum: values, ...spec })
}

/** A list. */
export function list<T, const S extends Spec<ReadonlyArray<T>>>(
  items: Field<T>,
  spec: S & { readonly minItems?: number } & Only<S, Spec<unknown> & { readonly minItems?: number }>,
): Made<ReadonlyArray<T>, S> {
  return make({ type: "array", items, ...spec })
}

/** Values by name. */
export function byName<T, const S extends Spec<Readonly<Record<string, T>>>>(
  values: Field<T>,
  spec: S & { readonly propertyNames?: Field<string> } & Only<S, Spec<unknown> & { readonly propertyNames?: unknown }>,
): Made<Readonly<Record<string, T>>, S> {
  return make({ type: "object", additionalProperties: values, ...spec })
}

/** A value of one of several fields. */
export function anyOf<
  const Members extends ReadonlyArray<Field<unknown>>,
  const S extends Spec<ValueOf<Members[number]>>,
>(members: Members, spec: S & Only<S, Spec<unknown>>): Made<ValueOf<Members[number]>, S> {
  return make({ anyOf: members, ...spec })
}

/** Options within an option. */
export function record<Options>(): <const S extends Spec<Options>>(
  table: OptionTable<Options, keyof Options>,
  spec: S & Only<S, Spec<unknown>>,
) => Made<Options, S> {
  return (table, spec) => make({ type: "object", properties: table, ...spec })
}

/** A value that JSON cannot hold, such as a function. */
export function opaque<T>(): <const S extends Spec<T>>(
  spec: S & { readonly faults: (value: unknown, at: string) => ReadonlyArray<Fault> },
) => Made<T, S> {
  return make
}
