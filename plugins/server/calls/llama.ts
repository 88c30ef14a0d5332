import { type CallSpelling, noCall } from "./call_spelling.ts"
import { callForm, jsonCalls, jsonLength } from "./json_calls.ts"

const OPEN = "<|python_tag|>"

/** `{"name": ..., "parameters": {...}}`, bare or after `<|python_tag|>`, several with `;` between: Llama 3.1 and later. */
export const llama: CallSpelling = {
  name: "llama",
  isIn: (template) => /\{\\?"name\\?": function name, \\?"parameters/.test(template),
  open: OPEN,
  bare: true,
  read: (text, isWhole) => {
    const [before] = /^(<\|python_tag\|>|;)?\s*/.exec(text)!
    const rest = text.slice(before.length)
    if (rest !== "" && rest[0] !== "{") return noCall(before.length)
    const length = jsonLength(rest)
    if (length === 0) return isWhole ? noCall(text.length) : undefined
    return { calls: jsonCalls(rest.slice(0, length)) ?? [], length: before.length + length }
  },
  // The family's templates take one call in an answer.
  hold: (functions) => ({ begin: "", form: callForm(functions, "parameters") }),
}
