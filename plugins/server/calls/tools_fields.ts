/**
 * Fields of a request that say which functions may be called.
 * @module
 */
import { type Fault, faultsOf, field, type Fields, mustBe, type OptionTable } from "../../../core/options/mod.ts"

/** A tool, as OpenAI has it. */
export interface Tool {
  readonly type: "function"
  readonly function: {
    readonly name: string
    readonly description?: string | null
    readonly parameters?: Readonly<Record<string, unknown>> | null
    readonly strict?: boolean | null
  }
}

/** Whether and which tools are called. */
export type ToolChoice =
  | "none"
  | "auto"
  | "required"
  | { readonly type: "function"; readonly function: { readonly name: string } }

/** Fields of tools. */
export interface ToolsFields {
  readonly tools?: ReadonlyArray<Tool>
  readonly tool_choice?: ToolChoice
  readonly parallel_tool_calls?: boolean
}

/** Tools of a request at most, as OpenAI has it. */
const MOST = 128

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parameters = (value: unknown, at: string): ReadonlyArray<Fault> =>
  isObject(value) && [undefined, "object"].includes(value.type as string)
    ? []
    : [mustBe(at, 'a JSON Schema of the type "object"', value)]

const NAME: Fields[string] = {
  type: "string",
  pattern: "^[a-zA-Z0-9_-]{1,64}$",
  wanted: "up to 64 letters, digits, _ and -",
  required: true,
}

const FUNCTION: Fields = {
  name: NAME,
  description: { type: "string" },
  parameters: { faults: parameters },
  strict: { type: "boolean" },
  // What transformers makes of a documented function has it.
  return: { type: "object" },
}

const TOOL: Fields = {
  type: { enum: ["function"], required: true },
  function: {
    faults: (value, at) => faultsOf(FUNCTION, isObject(value) ? withoutNull(value) : value, at),
    wanted: "a function: { name, description, parameters }",
    required: true,
  },
}

/** An object without fields that are null. */
export const withoutNull = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, own]) => own !== null))

const tools = (value: unknown, at: string): ReadonlyArray<Fault> => {
  if (!Array.isArray(value) || value.length > MOST) return [mustBe(at, `a list of up to ${MOST} tools`, value)]
  const faults = value.flatMap((one, i) => faultsOf(TOOL, one, `${at}[${i}]`))
  if (faults.length > 0) return faults
  const names = (value as ReadonlyArray<Tool>).map((one) => one.function.name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  return twice === undefined ? [] : [{ at, message: `${at} must have names of their own, got "${twice}" twice` }]
}

const toolChoice = (value: unknown, at: string): ReadonlyArray<Fault> => {
  if (["none", "auto", "required"].includes(value as string)) return []
  if (isObject(value) && value.type === "function" && isObject(value.function)) {
    return faultsOf({ name: NAME }, value.function, `${at}.function`)
  }
  return [mustBe(at, '"none", "auto", "required" or { type: "function", function: { name } }', value)]
}

/** {@link ToolsFields} as a table. */
export const TOOLS_FIELDS: OptionTable<ToolsFields, "tools" | "tool_choice"> = {
  tools: field.opaque<ReadonlyArray<Tool>>()({ faults: tools }),
  tool_choice: field.opaque<ToolChoice>()({ faults: toolChoice }),
  parallel_tool_calls: field.boolean({ default: true }),
}
