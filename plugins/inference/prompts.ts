import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { DataError } from "../../core/data/data_error.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { readFiles } from "../../core/data/tokenizer_files/files.ts"
import { makeTokenizer } from "../../core/data/tokenizer_files/load_tokenizer.ts"
import { pathExists } from "../../core/formats/files/path_exists.ts"
import { endTokens } from "../../core/inference/text/end_tokens.ts"
import type { Model } from "../../core/model/model.ts"
import type { ModelError } from "../../core/model/model_error.ts"
import { TEXTS, wrongArgument } from "../../core/options/argument.ts"
import type { Message } from "../chat/mod.ts"
import { InferenceError } from "./inference_error.ts"

/** A prompt as token ids, and the tokens that end what follows it. */
export interface Prompt {
  readonly ids: Int32Array
  readonly stop: ReadonlyArray<number>
}

/** Turns texts and messages into prompts of a model. */
export interface Prompts {
  readonly tokenizer: Tokenizer
  /** Whether there is a chat template. */
  readonly chats: boolean
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
  /** Fails where there is no template, or where it does not take the messages. */
  readonly of: (
    prompt: string | ReadonlyArray<Message>,
  ) => Effect.Effect<Prompt, InferenceError | DataError, FileSystem.FileSystem>
}

/** Those of a model, from the files beside it. */
export const promptsOf = (
  model: Model,
): Effect.Effect<Prompts, ModelError | DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { directory } = model
    const { model: json, config, ...beside } = yield* readFiles(directory)
    const tokenizer = yield* makeTokenizer(json, config, `${directory}/tokenizer.json`, beside)
    const ends = yield* endTokens(model, tokenizer)
    const inFile = yield* Effect.orElseSucceed(pathExists(`${directory}/chat_template.jinja`), () => false)
    const chats = inFile || (config as { readonly chat_template?: unknown } | undefined)?.chat_template !== undefined
    const chat = yield* Effect.cached(Effect.gen(function* () {
      const Chat = yield* Effect.promise(() => import("../chat/mod.ts"))
      const template = yield* Chat.load(directory)
      const stop = [...ends, ...Chat.endOf(template, tokenizer)]
      return (messages: ReadonlyArray<Message>) =>
        Effect.map(Chat.promptOf(template, messages), (text): Prompt => ({
          // A template writes the special tokens itself.
          ids: tokenizer.encode(text, { addSpecialTokens: false }),
          stop,
        }))
    }))
    return {
      tokenizer,
      chats,
      notes: tokenizer.notes ?? [],
      of: (prompt) => {
        if (typeof prompt === "string") return Effect.succeed({ ids: tokenizer.encode(prompt), stop: ends })
        if (Array.isArray(prompt)) return Effect.flatMap(chat, (encode) => encode(prompt))
        return Effect.fail(
          new InferenceError("Options", `a prompt must be a text or a list of messages, got ${prompt}`),
        )
      },
    }
  })

/** Throws {@link InferenceError} for what is no list of texts. */
export function checkTexts(texts: ReadonlyArray<string>): void {
  const wrong = wrongArgument("texts", texts, TEXTS)
  if (wrong !== undefined) throw new InferenceError("Options", wrong)
}
