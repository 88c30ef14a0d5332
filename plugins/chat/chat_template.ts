import { DataError } from "../../core/data/data_error.ts"
import { compile } from "./jinja/template.ts"
import type { Conversation, Message } from "./message.ts"

/** A chat as text. */
export interface Rendered {
  /** The text, with the special tokens that the template writes. */
  readonly text: string
  /** What stands within `{% generation %}` blocks, as offsets in the text. */
  readonly generated: ReadonlyArray<readonly [from: number, to: number]>
}

/** A model's chat template: messages to text, as transformers' `apply_chat_template` makes it. */
export interface ChatTemplate {
  /** Where it comes from, for messages. */
  readonly from: string
  /** The Jinja source, or that of the template named `default`. */
  readonly source: string
  /** The source of the template that chats with tools go through: `source`, or that of the template named `tool_use`. */
  readonly toolsSource: string
  /** Whether it marks what is trained on, in `{% generation %}` blocks. */
  readonly marks: boolean
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
  /**
   * A chat as text.
   *
   * @throws TemplateError where the template refuses the chat.
   */
  readonly render: (conversation: Conversation, prompt?: boolean) => Rendered
}

/** What a template is made of. */
export interface TemplateOptions {
  /** Tokens that it may write, by the names that it has for them, such as `bos_token`. Default: none. */
  readonly tokens?: Readonly<Record<string, string>>
  /** Further templates by name; `tool_use` is taken for chats with tools. Default: none. */
  readonly named?: Readonly<Record<string, string>>
  /** Variables of each chat, over which its own count, such as `enable_thinking`. Default: none. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** Where it comes from, for messages. Default `"chat template"`. */
  readonly from?: string
}

/**
 * A chat template from its source.
 *
 * @throws DataError `Template` for one that cannot be parsed, or that uses what is rendered otherwise than in Python: it
 * names what.
 */
export const chatTemplate = (source: string, options: TemplateOptions = {}): ChatTemplate => {
  const { tokens = {}, named = {}, variables = {}, from = "chat template" } = options
  const compiled = (source: string, name: string) => {
    try {
      return compile(source)
    } catch (cause) {
      throw templateError(`${from}: the template${name} cannot be used: ${(cause as Error).message}`, cause)
    }
  }
  const usual = compiled(source, "")
  const withTools = named.tool_use === undefined ? usual : compiled(named.tool_use, ' "tool_use"')
  const render: ChatTemplate["render"] = ({ messages, tools, variables: own = {} }, prompt = false) => {
    const { text, marks } = (tools === undefined ? usual : withTools)({
      ...tokens,
      documents: null,
      ...variables,
      ...own,
      messages: messages.map(plain),
      tools: tools ?? null,
      add_generation_prompt: prompt,
    })
    return { text, generated: marks }
  }
  return {
    from,
    source,
    toolsSource: named.tool_use ?? source,
    marks: /\{%-?\s*generation\s*-?%\}/.test(source),
    notes: notesOf(source, { ...tokens, ...variables }),
    render,
  }
}

/** The error for a template that cannot be used. */
export const templateError = (message: string, cause?: unknown): DataError =>
  new DataError({ reason: "Template", message, cause })

/** A message as transformers 5 gives it to templates: without fields that are null, thoughts by their two usual names. */
const plain = (message: Message): Message => {
  const { role, ...rest } = message
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null && value !== undefined))
  const thoughts = given.reasoning_content ?? given.thinking ?? given.reasoning
  return {
    role,
    ...thoughts === undefined ? {} : { thinking: thoughts },
    ...given,
    ...thoughts === undefined ? {} : { reasoning_content: thoughts },
  }
}

const notesOf = (source: string, given: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  /\bstrftime_now\s*\(/.test(source) && given.date_string === undefined
    ? [
      "the chat template writes today's date, so that the text of tomorrow is another: the variable date_string fixes it",
    ]
    : []
