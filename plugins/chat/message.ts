/** What is said in a chat. */
export interface Message {
  /** Who says it: system, developer, user, assistant or tool. */
  readonly role: string
  /** The text. Default: none, beside calls of tools. */
  readonly content?: string | null
  /** Calls of tools, as the model's template reads them: `{ type: "function", function: { name, arguments } }`. Default: none. */
  readonly tool_calls?: ReadonlyArray<unknown>
  /** What else a template reads, such as `reasoning_content`, `name` or `tool_call_id`. */
  readonly [field: string]: unknown
}

/** A chat with what belongs to it. */
export interface Conversation {
  /** Its messages, in order. */
  readonly messages: ReadonlyArray<Message>
  /** Tools that the model may call, as JSON schemas. Default: none. */
  readonly tools?: ReadonlyArray<unknown>
  /** Further variables of the template, such as `enable_thinking` or `date_string`. Default: none. */
  readonly variables?: Readonly<Record<string, unknown>>
}
