/**
 * Chats: a model's chat template, and rows of messages of which the answers are trained on.
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Dataset } from "@espalier/espalier"
 * import * as Chat from "@espalier/espalier/chat"
 *
 * const template = Chat.chatTemplate(
 *   "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}" +
 *     "{% if add_generation_prompt %}<|assistant|>{% endif %}",
 * )
 * const messages = [{ role: "user", content: "Two and two?" }, { role: "assistant", content: "Four." }]
 * const data = await Effect.runPromise(Dataset.rows([{ messages }], Chat.columns(template)))
 * const [{ text, trained: [[from, to]] }] = data.rows
 * console.log(text.slice(from, to)) // Four.<|end|>
 * ```
 *
 * With a model, `Chat.load(directory)` gives its template, and `Task.causalLM()` learns from the rows.
 *
 * @module
 */
export { type ChatTemplate, chatTemplate, type Rendered, type TemplateOptions } from "./chat_template.ts"
export { columns, type ColumnsOptions } from "./columns.ts"
export { type ChatColumns } from "./forms.ts"
export { find, load, type LoadOptions } from "./load_template.ts"
export type { Conversation, Message } from "./message.ts"
export { endOf, promptOf } from "./prompt.ts"
export { prepared } from "./prepared_run.ts"
export type { Turns } from "./trained_parts.ts"
