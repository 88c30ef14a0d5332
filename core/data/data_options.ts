import { faultsOf, withDefaults } from "../options/check.ts"
import type { OptionTable, Resolved } from "../options/field.ts"
import { DataError } from "./data_error.ts"

/** Checks options and fills in defaults. Throws {@link DataError} `BadInput` that names every wrong one. */
export function dataOptions<Options extends object, Open extends keyof Options = never>(
  table: OptionTable<Options, Open>,
  options: Options,
): Resolved<Options, Open> {
  const faults = faultsOf(table, options)
  if (faults.length === 0) return withDefaults(table, options)
  throw new DataError({ reason: "BadInput", message: faults.map(({ message }) => message).join("; ") })
}
