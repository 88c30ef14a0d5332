/**
 * The chat template of a model: how messages become a prompt.
 * @module
 */
import { Template } from "@huggingface/jinja"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { readGguf } from "../core/data/tokenizer_files/gguf/read_gguf.ts"
import { pathExists } from "../core/formats/files/path_exists.ts"
import { DataError } from "../mod.ts"

/** What is said in a chat. */
export interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

/** Messages as a prompt, ready for the answer. Throws DataError where the template does not take them. */
export interface ChatTemplate {
  readonly prompt: (messages: ReadonlyArray<Message>) => string
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
}

/** What this Jinja does otherwise than Python's, in silence. */
const DIFFERENT: Readonly<Record<string, RegExp>> = {
  "strip with an argument (all white space is stripped)": /\.[lr]?strip\(\s*[^)\s]/,
  "break or continue (what the pass wrote is lost)": /\{%-?\s*(break|continue)\b/,
}

const readText = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return (yield* pathExists(path)) ? yield* fs.readFileString(path) : undefined
  }).pipe(Effect.mapError(({ message }) => new DataError({ reason: "BadInput", message })))

/** The template of a model, where it has one: `chat_template.jinja`, `tokenizer_config.json`, or in its GGUF file. */
export const templateIn = (directory: string) =>
  Effect.gen(function* () {
    const file = yield* readText(`${directory}/chat_template.jinja`)
    const text = yield* readText(`${directory}/tokenizer_config.json`)
    const inFile = text === undefined ? yield* readGguf(directory) : { "tokenizer_config.json": JSON.parse(text) }
    const config = (inFile["tokenizer_config.json"] ?? {}) as Record<string, unknown>
    const { chat_template: given } = config
    const named = Array.isArray(given) ? given.find(({ name }) => name === "default")?.template : given
    const source = file ?? (typeof named === "string" ? named : undefined)
    return source === undefined ? undefined : chatTemplate(source, specialTokens(config))
  })

/** Tokens that templates write, by the names that they have there. */
const specialTokens = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(["bos_token", "eos_token", "unk_token", "pad_token"].flatMap((name) => {
    const token = config[name] as string | { readonly content?: string } | null | undefined
    const text = typeof token === "string" ? token : token?.content
    return text === undefined ? [] : [[name, text]]
  }))

/** A template with the tokens that it may write. */
export const chatTemplate = (source: string, tokens: Readonly<Record<string, string>>): ChatTemplate => {
  const failed = (cause: unknown) =>
    new DataError({
      reason: "BadInput",
      message: `the chat template cannot be used: ${(cause as Error).message}; --plain continues prompts as they are`,
    })
  const attempt = <A>(run: () => A): A => {
    try {
      return run()
    } catch (cause) {
      throw failed(cause)
    }
  }
  const template = attempt(() => new Template(source))
  const uses = Object.entries(DIFFERENT).filter(([, pattern]) => pattern.test(source)).map(([what]) => what)
  return {
    prompt: (messages) => attempt(() => template.render({ ...tokens, messages, add_generation_prompt: true })),
    notes: uses.map((what) => `the chat template has ${what}: prompts may differ from those of transformers`),
  }
}
