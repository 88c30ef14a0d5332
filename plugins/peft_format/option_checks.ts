import { PluginError } from "../../core/contracts/plugin_error.ts"
import { nearest } from "../../core/formats/nearest.ts"

/** Checks of one plugin's options; each throws a {@link PluginError} that quotes what is wrong. */
export interface OptionChecks {
  /** Whether a condition on an option holds. */
  readonly demand: (holds: boolean, option: string, wanted: string, value: unknown) => void
  /** Whether an option is a positive integer. */
  readonly positive: (option: string, value: number) => void
}

/** Checks for a method's options, after those that every method has: no unknown names, and a `name` that can be a folder. */
export function checkOptions(
  method: string,
  options: { readonly name?: string },
  known: ReadonlyArray<string>,
): OptionChecks {
  const { name = "default" } = options
  const id = `${method}/${name}`
  const demand: OptionChecks["demand"] = (holds, option, wanted, value) => {
    if (holds) return
    const got = typeof value === "number" ? String(value) : JSON.stringify(value) ?? String(value)
    throw new PluginError({ plugin: id, message: `${id}: ${option} must be ${wanted}, got ${got}` })
  }
  const unknown = Object.keys(options).find((option) => !known.includes(option))
  if (unknown !== undefined) {
    const message = `${id}: unknown option "${unknown}"; the nearest known one is "${nearest(unknown, known)}"`
    throw new PluginError({ plugin: id, message })
  }
  demand(/^[\w.-]*\w[\w.-]*$/.test(name), "name", "letters, digits, dots and dashes", name)
  return {
    demand,
    positive: (option, value) => demand(Number.isSafeInteger(value) && value > 0, option, "a positive integer", value),
  }
}
