import { valueFaults } from "./check.ts"
import type { Field } from "./field.ts"

/** A list of texts. */
export const TEXTS: Field<ReadonlyArray<string>> = {
  type: "array",
  items: { type: "string" },
  wanted: "a list of texts",
}

/** A path. */
export const PATH: Field<string> = { type: "string", wanted: "a path" }

/** Options or a configuration. */
export const OBJECT: Field<object> = { type: "object" }

/** What is wrong with an argument of a public function; undefined where it is as `field` says. JavaScript checks no types. */
export const wrongArgument = (name: string, value: unknown, field: Field<unknown>): string | undefined =>
  valueFaults(value, field, name)[0]?.message
