/**
 * Fields of a request: those that are understood, those that may only have the value that changes nothing, and those that
 * never change an answer.
 * @module
 */
import { faultsOf, field, type OptionTable, type Resolved, withDefaults } from "../../../core/options/mod.ts"
import { badField } from "./api_error.ts"
import type { Json } from "./body.ts"

/** What a route makes of fields. */
export interface RequestTable<Options, Open extends keyof Options> {
  /** Fields that are understood. */
  readonly table: OptionTable<Options, Open>
  /** Fields that are not, and the values with which they change nothing. Null is one for all. */
  readonly neutral: Readonly<Record<string, ReadonlyArray<unknown>>>
}

/** Fields that say something of the request, and nothing of its answer. */
const ABOUT = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "request_id",
  "priority",
])

/** The fields of a body, with defaults. Throws an ApiError that names the first wrong one. */
export function readFields<Options extends object, Open extends keyof Options>(
  { table, neutral }: RequestTable<Options, Open>,
  body: Json,
): Resolved<Options, Open> {
  const given: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) {
    if (value === null || ABOUT.has(name)) continue
    const allowed = Object.hasOwn(neutral, name) ? neutral[name] : undefined
    if (allowed === undefined) {
      given[name] = value
      continue
    }
    const shown = JSON.stringify(value)
    if (allowed.some((one) => JSON.stringify(one) === shown)) continue
    const may = allowed.map((one) => JSON.stringify(one)).join(" or ")
    throw badField(name, `${name} is not supported: leave it out${may === "" ? "" : `, or give ${may}`}`)
  }
  const [fault] = faultsOf(table, given)
  if (fault !== undefined) throw badField(fault.at, fault.message)
  return withDefaults(table, given as Options)
}

/** The field `model`. */
export const MODEL: ReturnType<typeof modelField> = modelField()

function modelField() {
  return field.text({ required: true, wanted: "the name of a model or adapter" })
}
