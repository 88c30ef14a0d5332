import * as Effect from "effect/Effect"
import type { DataError } from "../../core/data/data_error.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { type ChatTemplate, templateError } from "./chat_template.ts"
import { TemplateError } from "./jinja/values/values.ts"
import type { Conversation, Message } from "./message.ts"

/**
 * Messages as a prompt, up to where the answer begins. It holds its special tokens: encode it without those that the
 * tokenizer adds. Fails with DataError `Template` where the template does not take the messages.
 */
export const promptOf = (
  template: ChatTemplate,
  messages: ReadonlyArray<Message>,
  rest: Omit<Conversation, "messages"> = {},
): Effect.Effect<string, DataError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(template.render({ ...rest, messages }, true).text)
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause
      return templateError(`${template.from}: the chat template fails: ${cause.message}`, cause)
    }
  })

const ANSWER = "An answer."

/** The token that ends an answer in a template, which may be another than the one that ends a text; none where it writes none. */
export const endOf = (template: ChatTemplate, tokenizer: Tokenizer): ReadonlyArray<number> => {
  const messages = [{ role: "user", content: "A question." }, { role: "assistant", content: ANSWER }]
  try {
    const { text } = template.render({ messages })
    const tail = text.slice(text.lastIndexOf(ANSWER) + ANSWER.length).trimStart()
    const [first] = tokenizer.encode(tail, { addSpecialTokens: false })
    const isSpecial = first !== undefined && tokenizer.decode([first], { skipSpecialTokens: true }) === ""
    return isSpecial ? [first] : []
  } catch {
    return []
  }
}
