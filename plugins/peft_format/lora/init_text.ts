import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { type PluginError, pluginError } from "../../../core/contracts/plugin_error.ts"
import type { DataError } from "../../../core/data/data_error.ts"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"

/**
 * The tokens of a text that virtual tokens start from, over again or cut to the length, as PEFT has it. Fails on a text
 * without tokens, and on ids that the model does not have.
 *
 * @param text A text, for the tokenizer in the model's directory (with its special tokens), or token ids.
 */
export function initTokens(
  id: string,
  text: string | ReadonlyArray<number>,
  length: number,
  model: { readonly directory: string; readonly vocabSize: number },
): Effect.Effect<Int32Array, PluginError | DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { directory, vocabSize } = model
    const wrong = (message: string) => pluginError(id, `${message}`)
    if (typeof text === "string" && directory === "") {
      return yield* wrong("a model that was not loaded has no tokenizer; give the text's token ids")
    }
    const ids = typeof text === "string" ? Array.from((yield* loadTokenizer(directory)).encode(text)) : text
    if (ids.length === 0) return yield* wrong("the text that it starts from has no tokens")
    const unknown = ids.findIndex((token) => !(Number.isInteger(token) && token >= 0 && token < vocabSize))
    if (unknown >= 0) {
      return yield* wrong(
        `the text that it starts from has the token ${ids[unknown]}; the model's go up to ${vocabSize - 1}`,
      )
    }
    return Int32Array.from({ length }, (_, i) => ids[i % ids.length])
  })
}
