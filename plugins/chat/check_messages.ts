import { quoted } from "../../core/data/data_error.ts"
import { ChatFault } from "./chat_fault.ts"
import type { Message } from "./message.ts"

type Fields = Readonly<Record<string, unknown>>

/** Roles, and what may stand before each: null is the beginning. */
const ORDER: Readonly<Record<string, ReadonlyArray<string | null>>> = {
  system: [null],
  developer: [null, "system"],
  user: [null, "system", "developer", "assistant", "tool"],
  assistant: ["user", "tool"],
  tool: ["assistant", "tool"],
}

/** Names that other formats have for roles. */
const ALIASES: Readonly<Record<string, string>> = {
  human: "user",
  gpt: "assistant",
  model: "assistant",
  observation: "tool",
  function_response: "tool",
}

const wrong = (what: string, advice: string, detail: string) => new ChatFault("Malformed", what, advice, detail)

const FORM = "a message is { role, content }, or { from, value } as ShareGPT has it"

/** The text of a content: a text, or a list of parts that are texts. */
const contentOf = (content: unknown, turn: string): string | null | undefined => {
  if (content === undefined || content === null || typeof content === "string") return content
  if (!Array.isArray(content)) throw wrong("a content is no text", "give it as a text", turn)
  const texts = content.map((part: unknown) => {
    if (typeof part === "string") return part
    const { type = "text", text } = (part ?? {}) as Fields
    if (type === "text" && typeof text === "string") return text
    throw wrong(
      "a content holds more than text",
      "only text is read: take such rows out",
      `${turn} has a part ${type === "text" ? "without a text" : `of type ${quoted([`${type}`])}`}`,
    )
  })
  return texts.join("")
}

/** A message with the names of transformers: `from` and `value` are those of ShareGPT. */
const messageOf = (given: unknown, at: number): Message => {
  const turn = `message ${at + 1}`
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrong("a message is no object", FORM, turn)
  }
  const { from, value, role = from, content = value, ...rest } = given as Fields
  if (typeof role !== "string") throw wrong("a message has no role", FORM, turn)
  const known = ALIASES[role] ?? role
  if (!Object.hasOwn(ORDER, known)) {
    const roles = [...Object.keys(ORDER), ...Object.keys(ALIASES)]
    throw wrong(`the role ${quoted([role])} is not known`, `roles are ${roles.join(", ")}`, turn)
  }
  const text = contentOf(content, turn)
  return { ...rest, role: known, ...text === undefined ? {} : { content: text } }
}

const checkOrder = (messages: ReadonlyArray<Message>): void => {
  messages.forEach(({ role }, at) => {
    const before = at === 0 ? null : messages[at - 1].role
    if (ORDER[role].includes(before)) return
    const where = before === null ? "stands at the beginning" : `follows one of "${before}"`
    throw wrong(
      "roles are out of order",
      "system comes first, then user and assistant by turns, and tool after an assistant",
      `message ${at + 1}, of "${role}", ${where}`,
    )
  })
}

const checkContents = (messages: ReadonlyArray<Message>): void => {
  messages.forEach(({ role, content, tool_calls: calls }, at) => {
    const calling = Array.isArray(calls) && calls.length > 0
    const may = role === "system" || role === "tool" || (role === "assistant" && calling)
    if (may || (content ?? "").trim() !== "") return
    throw new ChatFault(
      "EmptyText",
      "a message is empty",
      "fill it, or take the row out",
      `message ${at + 1}, of "${role}"`,
    )
  })
}

/**
 * Messages of a row, checked: known roles in order, texts, and an answer among them.
 *
 * @param from Number of messages that are a prompt: the answer comes after them.
 * @throws ChatFault
 */
export const checkedMessages = (given: unknown, from = 0): ReadonlyArray<Message> => {
  if (!Array.isArray(given)) {
    throw wrong("a list of messages is wanted", FORM, `got ${String(JSON.stringify(given)).slice(0, 40)}`)
  }
  if (given.length === 0) throw new ChatFault("EmptyText", "a list of messages is empty", "take the row out", "")
  const messages = given.map(messageOf)
  checkOrder(messages)
  checkContents(messages)
  if (!messages.slice(from).some(({ role }) => role === "assistant")) {
    throw new ChatFault(
      "AllMasked",
      'there is no message of "assistant", so nothing to train on',
      "add an answer, or take the row out",
      `roles are ${messages.slice(from).map(({ role }) => role).join(", ")}`,
    )
  }
  return messages
}
