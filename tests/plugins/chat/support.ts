/**
 * Templates and conversations of `make.py`, and how it writes down what they give.
 * @module
 */
import * as Chat from "../../../plugins/chat/mod.ts"

const folder = new URL("../../fixtures/chat/", import.meta.url)

/** A file of values beside the templates. */
export const read = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, folder)))

/** The source of a template. */
export const source = (name: string): string => Deno.readTextFileSync(new URL(`templates/${name}.jinja`, folder))

/** The 50 conversations. */
export const conversations: ReadonlyArray<Chat.Conversation> = read("conversations")

/** A template with the tokens and variables that `make.py` gives. */
export const template = (name: string): Chat.ChatTemplate =>
  Chat.chatTemplate(source(name), {
    tokens: { bos_token: "<bos>", eos_token: "<eos>" },
    variables: { date_string: "26 Jul 2024" },
  })

/** The start of the SHA-256 of a text. */
export const digest = async (text: string): Promise<string> => {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 16)
}
