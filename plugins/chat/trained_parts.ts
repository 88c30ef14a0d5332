import { ChatFault } from "./chat_fault.ts"
import type { ChatTemplate } from "./chat_template.ts"
import { TemplateError } from "./jinja/values/values.ts"
import type { Conversation } from "./message.ts"

/** Begin and end of a part, as offsets in a text. */
export type Part = readonly [from: number, to: number]

/** A chat as text, with the parts that are trained on. */
export interface TrainedText {
  readonly text: string
  readonly trained: ReadonlyArray<Part>
}

/** Which answers are trained on. */
export type Turns = "all" | "last"

const TEMPLATE =
  "take a template for training, which marks answers with {% generation %} or renders each turn the same " +
  "whatever follows"

/**
 * Renders a chat and finds the answers in it. Where the template has `{% generation %}` blocks, they say what is trained on.
 * Else an answer is what is new when the chat is rendered up to it, after the prompt for it, with the end of its turn.
 *
 * @param from Number of messages that are a prompt and are never trained on.
 * @throws ChatFault where the template fails or marks nothing, or renders the beginning of a chat otherwise when more follows.
 */
export const trainedText = (
  template: ChatTemplate,
  conversation: Conversation,
  { from = 0, turns = "all" }: { readonly from?: number; readonly turns?: Turns } = {},
): TrainedText => {
  const { messages } = conversation
  const rendered = (count: number, prompt = false) => {
    try {
      return template.render({ ...conversation, messages: messages.slice(0, count) }, prompt)
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause
      const part = count < messages.length ? `with the first ${count} of ${messages.length} messages` : ""
      const advice = "change the rows, or take another template"
      throw new ChatFault("Template", `the chat template fails: ${cause.message}`, advice, part)
    }
  }
  const { text, generated } = rendered(messages.length)
  const answers = messages.flatMap(({ role }, at) => role === "assistant" && at >= from ? [at] : [])
  const begin = (answer: number) => beginning(text, rendered(answer, true).text, answer)
  const part = (answer: number): Part => [begin(answer), beginning(text, rendered(answer + 1).text, answer)]
  const last = answers.at(-1)!
  const trained = template.marks
    ? behind(generated, turns === "last" || from > 0 ? begin(turns === "last" ? last : answers[0]) : 0)
    : turns === "last"
    ? [part(last)]
    : allParts(answers, part)
  const parts = trained.filter(([from, to]) => from < to)
  if (parts.length > 0) return { text, trained: parts }
  throw new ChatFault(
    "AllMasked",
    "the chat template leaves nothing to train on",
    template.marks ? "its {% generation %} blocks hold no text" : "it writes no answers: take another template",
    "",
  )
}

const behind = (parts: ReadonlyArray<Part>, begin: number): ReadonlyArray<Part> =>
  parts.flatMap(([from, to]): ReadonlyArray<Part> => to > begin ? [[Math.max(from, begin), to]] : [])

/** The parts of all answers; where that fails, and the last one alone would do, the error says so. */
const allParts = (answers: ReadonlyArray<number>, part: (answer: number) => Part): ReadonlyArray<Part> => {
  try {
    return answers.map(part)
  } catch (fault) {
    if (!(fault instanceof ChatFault) || fault.reason !== "Template") throw fault
    part(answers.at(-1)!)
    const { reason, what, advice, detail } = fault
    throw new ChatFault(reason, what, `train the last turn alone (turns: last), or ${advice}`, detail)
  }
}

/** The length of the beginning of a chat, rendered alone, within the chat. */
const beginning = (text: string, start: string, answer: number): number => {
  if (text.startsWith(start)) return start.length
  let at = 0
  while (at < start.length && start[at] === text[at]) at++
  const shown = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 40))
  throw new ChatFault(
    "Template",
    "the chat template renders the beginning of a chat otherwise when more follows, so answers cannot be told apart",
    TEMPLATE,
    `up to message ${answer + 1}, ${shown(start)} becomes ${shown(text)}`,
  )
}
