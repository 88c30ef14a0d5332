import type { Resolved } from "../../../core/options/mod.ts"
import { badField } from "../requests/api_error.ts"
import { type CallReader, callReader } from "./call_reader.ts"
import type { AnswerOptions } from "../served.ts"
import type { CallSpelling } from "./call_spelling.ts"
import { callSpellings } from "./spellings.ts"
import { type Tool, type ToolsFields, withoutNull } from "./tools_fields.ts"

/** Functions that an answer may, or must, call. */
export interface Calling {
  /** Tools as the template shows them. */
  readonly tools: ReadonlyArray<unknown>
  /** What the answer begins with. */
  readonly begin: string
  /** How it is written: held to calls, where it must call. */
  readonly options: Pick<AnswerOptions, "form" | "shown">
  /** Finds the calls in an answer. */
  readonly reader: () => CallReader
}

/** A tool as templates get it: what is said to the server alone is left out. */
const shown = ({ type, function: { strict: _, ...own } }: Tool) => ({ type, function: withoutNull(own) })

/** The schema of arguments: an object, and an empty one where no properties are named. */
function argumentsOf(parameters: Tool["function"]["parameters"]): object {
  const { properties } = parameters ?? { properties: {} }
  const isEmpty = typeof properties === "object" && properties !== null && Object.keys(properties).length === 0
  return { type: "object", ...isEmpty ? { additionalProperties: false } : {}, ...parameters }
}

/**
 * What is asked of an answer about calls: nothing where there are no tools, or none is to be called. Throws ApiError.
 *
 * @param spelling How the model writes calls; undefined where it is not known.
 */
export function callingOf(
  { tools = [], tool_choice: choice = "auto", parallel_tool_calls: parallel }: Resolved<
    ToolsFields,
    "tools" | "tool_choice"
  >,
  spelling: CallSpelling | undefined,
): Calling | undefined {
  const named = typeof choice === "object" ? choice.function.name : undefined
  const isHeld = named !== undefined || choice === "required"
  if (tools.length === 0 && isHeld) throw badField("tool_choice", "tool_choice needs tools")
  const wanted = tools.map((tool, i) => ({ ...tool.function, at: `tools[${i}].function.parameters` }))
    .filter(({ name }) => named === undefined || name === named)
  if (named !== undefined && wanted.length === 0) {
    const names = tools.map((one) => `"${one.function.name}"`).join(", ")
    throw badField("tool_choice", `tool_choice names "${named}", which is none of the tools: they are ${names}`)
  }
  if (tools.length === 0 || choice === "none") return
  if (spelling === undefined) {
    const names = Object.keys(callSpellings).join(", ")
    const message =
      `the chat template of the model writes calls of tools in none of the known ways (${names}): take one that ` +
      `does, or where it shows tools give the option "calls" of Server.writer, --calls of examples/serve.ts`
    throw badField("tools", message)
  }
  const several = parallel && named === undefined
  const functions = wanted.map(({ name, parameters, at }) => ({ name, parameters: argumentsOf(parameters), at }))
  const held = isHeld ? spelling.hold(functions, several) : undefined
  const names = tools.map((one) => one.function.name)
  const { begin = "", ...form } = held ?? {}
  const { open, close = open } = spelling
  return {
    tools: tools.map(shown),
    begin,
    options: { ...form, shown: [open, close] },
    reader: () => callReader(spelling, { names, most: several ? Infinity : 1, begin }),
  }
}
