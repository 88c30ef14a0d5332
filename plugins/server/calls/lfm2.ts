import { type CallSpelling, noCall } from "./call_spelling.ts"
import { callForm, jsonCalls, oneOrSeveral } from "./json_calls.ts"
import { pythonCalls } from "./python_calls.ts"

const [OPEN, CLOSE] = ["<|tool_call_start|>", "<|tool_call_end|>"]

/** `<|tool_call_start|>[f(a=1)]<|tool_call_end|>`, or JSON within the same marks, which is what calls are held to: LFM2. */
export const lfm2: CallSpelling = {
  name: "lfm2",
  // Its first templates show tools so, and no calls.
  isIn: (template) => template.includes(OPEN) || template.includes("<|tool_list_start|>"),
  open: OPEN,
  close: CLOSE,
  read: (text, isWhole) => {
    const inner = text.slice(OPEN.length)
    if (/^\s*[^\s{[]/.test(inner)) return noCall(OPEN.length)
    const end = inner.indexOf(CLOSE)
    if (end === -1 && !isWhole) return
    const length = end === -1 ? text.length : OPEN.length + end + CLOSE.length
    const within = end === -1 ? inner : inner.slice(0, end)
    return { calls: jsonCalls(within) ?? pythonCalls(within) ?? [], length }
  },
  hold: (functions, several) => ({
    begin: OPEN,
    form: { all: ["[", oneOrSeveral(callForm(functions, "arguments"), ", ", several), "]"] },
  }),
}
