import type { AnsweredPart, CallReader } from "../calls/call_reader.ts"
import type { Call } from "../calls/call_spelling.ts"
import { newCallId } from "../requests/new_call_id.ts"
import type { AnswerPiece } from "../served.ts"
import { ofChat } from "./log_probs.ts"
import type { Spelling } from "./reply.ts"

/** A call as clients get it. */
const told = (call: Call) => ({ id: newCallId(), type: "function", function: call })

/**
 * How answers to chats are spelled.
 *
 * @param readers What finds calls in each of the answers; undefined where there are none to be found.
 */
export function chatSpelling(logprobs: boolean, readers: ReadonlyArray<CallReader | undefined>): Spelling {
  const counts = readers.map(() => 0)
  const probabilities = ({ tokens }: Pick<AnswerPiece, "tokens">) => logprobs ? ofChat(tokens) : null
  /** What a piece of an answer, or all of it, says and calls. */
  const read = ({ text, finished }: Pick<AnswerPiece, "text" | "finished">, index: number): AnsweredPart => {
    const reader = readers[index]
    if (reader === undefined) return { text, calls: [] }
    const parts = [reader.add(text), ...finished === undefined ? [] : [reader.end()]]
    return { text: parts.map((part) => part.text).join(""), calls: parts.flatMap(({ calls }) => calls) }
  }
  const reason = (finished: AnswerPiece["finished"], index: number) =>
    finished === "stop" && counts[index] > 0 ? "tool_calls" : finished ?? null
  return {
    kind: "chatcmpl",
    object: "chat.completion",
    chunk: "chat.completion.chunk",
    whole: (answer, index) => {
      const { text, calls } = read(answer, index)
      counts[index] = calls.length
      const content = text === "" && calls.length > 0 ? null : text
      const called = calls.length > 0 ? { tool_calls: calls.map(told) } : {}
      return {
        message: { role: "assistant", content, refusal: null, ...called },
        logprobs: probabilities(answer),
        finish_reason: reason(answer.finished, index),
      }
    },
    first: () => [{ delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }],
    part: (piece, index) => {
      const { text, calls } = read(piece, index)
      const called = calls.map((call) => ({ index: counts[index]++, ...told(call) }))
      return {
        delta: { ...text === "" ? {} : { content: text }, ...called.length > 0 ? { tool_calls: called } : {} },
        logprobs: probabilities(piece),
        finish_reason: reason(piece.finished, index),
      }
    },
  }
}
