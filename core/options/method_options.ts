import { PluginError } from "../contracts/plugin_error.ts"
import { faultsOf, mustBe, withDefaults } from "./check.ts"
import type { Fields, Made, OptionTable, Resolved } from "./field.ts"
import { text } from "./fields.ts"

/** The option `name` of every method: part of its id, and the name of a folder. */
export const methodName: Made<string, { readonly default: "default" }> = text({
  pattern: "^[\\w.\\-]*\\w[\\w.\\-]*$",
  wanted: "letters, digits, dots and dashes",
  default: "default",
  doc: "Distinguishes several of one method",
})

/** A method's options with defaults, and its id. Throws {@link PluginError} with all faults. */
export function methodOptions<Options extends { readonly name?: string }, Open extends keyof Options = never>(
  method: string,
  table: OptionTable<Options, Open>,
  options: Options,
): Resolved<Options, Open> & { readonly id: string } {
  const id = `${method}/${options.name ?? "default"}`
  checkOptions(id, table, options)
  return { id, ...withDefaults(table, options) }
}

/** Throws {@link PluginError} with all faults of a plugin's options. */
export function checkOptions(plugin: string, table: Fields, options: object): void {
  const faults = faultsOf(table, options)
  if (faults.length === 0) return
  throw new PluginError({ plugin, message: `${plugin}: ${faults.map(({ message }) => message).join("; ")}` })
}

/** A check beyond a field, such as a condition on two options. Throws {@link PluginError}. */
export type Demand = (holds: boolean, option: string, wanted: string, value: unknown) => void

/** A {@link Demand} for a plugin's options. */
export function demandOf(plugin: string): Demand {
  return (holds, option, wanted, value) => {
    if (!holds) throw new PluginError({ plugin, message: `${plugin}: ${mustBe(option, wanted, value).message}` })
  }
}
