import { PluginError } from "../contracts/plugin_error.ts"
import { faultsOf, mustBe, withDefaults } from "./check.ts"
import type { Fields, Made, OptionTable, Resolved } from "./field.ts"
import { text } from "./fields.ts"

/** Option `name`, which every method has: part of its id, and a folder's name. */
export const methodName: Made<string, { readonly default: "default" }> = text({
  pattern: "^[\\w.\\-]*\\w[\\w.\\-]*$",
  wanted: "letters, digits, dots and dashes",
  default: "default",
  doc: "Distinguishes several of one method",
})

/** A method's options with their defaults and its id. Throws {@link PluginError} that names every fault. */
export function methodOptions<Options extends { readonly name?: string }, Open extends keyof Options = never>(
  method: string,
  table: OptionTable<Options, Open>,
  options: Options,
): Resolved<Options, Open> & { readonly id: string } {
  const id = `${method}/${options.name ?? "default"}`
  checkOptions(id, table, options)
  return { id, ...withDefaults(table, options) }
}

/** Throws {@link PluginError} that names everything that is wrong with a plugin's options. */
export function checkOptions(plugin: string, table: Fields, options: object): void {
  const faults = faultsOf(table, options)
  if (faults.length === 0) return
  throw new PluginError({ plugin, message: `${plugin}: ${faults.map(({ message }) => message).join("; ")}` })
}

/** A check of what no field can state, such as a condition on two options. It throws {@link PluginError}. */
export type Demand = (holds: boolean, option: string, wanted: string, value: unknown) => void

/** A {@link Demand} for a plugin's options. */
export function demandOf(plugin: string): Demand {
  return (holds, option, wanted, value) => {
    if (!holds) throw new PluginError({ plugin, message: `${plugin}: ${mustBe(option, wanted, value).message}` })
  }
}
