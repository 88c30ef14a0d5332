/**
 * Options as tables: a field declares type, range, default and a line of documentation, with the names of JSON Schema.
 * Checks, defaults, errors that name the nearest known option, JSON Schema and `--help` are derived from it.
 *
 * ```ts
 * import { field, methodName, methodOptions, type OptionTable } from "@espalier/espalier/plugin"
 *
 * interface Options {
 *   readonly name?: string
 *   readonly r?: number
 * }
 * const TABLE: OptionTable<Options> = {
 *   name: methodName,
 *   r: field.integer({ minimum: 1, default: 8, doc: "Rank" }),
 * }
 *
 * console.log(methodOptions("mine", TABLE, { r: 4 })) // { id: "mine/default", r: 4, name: "default" }
 * ```
 *
 * @module
 */
export * as field from "./fields.ts"
export type { Default, Fault, Field, Fields, Limits, Made, OptionTable, Resolved, Spec, ValueOf } from "./field.ts"
export { faultsOf, mustBe, valueFaults, withDefaults } from "./check.ts"
export { defaultText, type JsonSchema, jsonSchema } from "./json_schema.ts"
export { brief } from "./unknown_option.ts"
export { checkOptions, type Demand, demandOf, methodName, methodOptions } from "./method_options.ts"
