import { type CallSpelling, noCall } from "./call_spelling.ts"
import { callForm, jsonCalls, jsonLength, oneOrSeveral } from "./json_calls.ts"

const OPEN = "[TOOL_CALLS]"

/** `[TOOL_CALLS][{"name": ..., "arguments": {...}}]`: Mistral 7B v0.3, Nemo and others with a list of calls. */
export const mistral: CallSpelling = {
  name: "mistral",
  isIn: (template) => /\[TOOL_CALLS\]\s*\[/.test(template),
  open: OPEN,
  read: (text, isWhole) => {
    const [before] = /^\[TOOL_CALLS\]\s*/.exec(text)!
    const rest = text.slice(before.length)
    if (rest !== "" && rest[0] !== "[") return noCall(before.length)
    const length = jsonLength(rest)
    if (length === 0) return isWhole ? noCall(text.length) : undefined
    return { calls: jsonCalls(rest.slice(0, length)) ?? [], length: before.length + length }
  },
  hold: (functions, several) => ({
    begin: OPEN,
    form: { all: ["[", oneOrSeveral(callForm(functions, "arguments"), ", ", several), "]"] },
  }),
}
