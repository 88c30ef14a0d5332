import { mustBe } from "./check.ts"
import type { Field } from "./field.ts"
import * as field from "./fields.ts"

/** An object or function that JSON cannot hold, such as a signal; `wanted` says what it must be. */
export const instance = <T>(wanted: string, is: (value: object) => boolean): Field<T> =>
  field.opaque<T>()({
    wanted,
    faults: (value, at) =>
      (typeof value === "object" || typeof value === "function") && value !== null && is(value)
        ? []
        : [mustBe(at, wanted, value)],
  }) as Field<T>

/** What stops a call. */
export const signal: Field<AbortSignal> = instance(
  "an AbortSignal",
  (value) => "aborted" in value && "addEventListener" in value,
)
