import { field, type OptionTable } from "../../../core/options/mod.ts"

/** What every model that is served has. */
export interface NameOptions {
  /** Its name in the field `model`. */
  readonly name: string
  /** Most requests, or answers, that wait for their turn; further ones are refused with 429. Default 64. */
  readonly queue?: number
}

/** {@link NameOptions} as a table. */
export const NAME_OPTIONS: OptionTable<NameOptions> = {
  name: field.text({ required: true, pattern: "^\\S(.*\\S)?$", wanted: "a name", doc: "Name of the model" }),
  queue: field.integer({ minimum: 0, default: 64, doc: "Requests that wait at most" }),
}
