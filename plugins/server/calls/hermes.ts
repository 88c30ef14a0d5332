import { type CallSpelling, noCall } from "./call_spelling.ts"
import { callForm, findOutside, jsonCalls, oneOrSeveral } from "./json_calls.ts"

const [OPEN, CLOSE] = ["<tool_call>", "</tool_call>"]

/** `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, Qwen 2.5 and 3, SmolLM3, Granite 4. */
export const hermes: CallSpelling = {
  name: "hermes",
  isIn: (template) => /<tool_call>(\\n|\s)*\{\\?"(name|arguments)/.test(template),
  open: OPEN,
  close: CLOSE,
  read: (text, isWhole) => {
    const inner = text.slice(OPEN.length)
    if (/^\s*[^\s{]/.test(inner)) return noCall(OPEN.length)
    const end = findOutside(inner, (at) => inner.startsWith(CLOSE, at))
    if (end === -1 && !isWhole) return
    const length = end === -1 ? text.length : OPEN.length + end + CLOSE.length
    return { calls: jsonCalls(end === -1 ? inner : inner.slice(0, end)) ?? [], length }
  },
  hold: (functions, several) => ({
    begin: `${OPEN}\n`,
    form: {
      all: [oneOrSeveral(callForm(functions, "arguments"), `\n${CLOSE}\n${OPEN}\n`, several), `\n${CLOSE}`],
    },
  }),
}
