import * as Effect from "effect/Effect"
import { HIDDEN } from "../../../core/data/special_texts.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { type ApiError, badField } from "./api_error.ts"

/** Fails where a text is too long to be cut into tokens; `param` is the field of the request that has it. */
export type TextLimit = (text: string, param: string) => Effect.Effect<void, ApiError>

const encoder = new TextEncoder()
const lengthOf = (text: string): number => encoder.encode(text).length

/** Bytes of the longest token as the vocabulary spells it, which is no shorter than what it stands for. */
const longestToken = ({ vocabSize, token }: Tokenizer): number => {
  let longest = 1
  for (let id = 0; id < vocabSize; id++) {
    const spelt = token(id) ?? ""
    if (3 * spelt.length > longest) longest = Math.max(longest, lengthOf(spelt))
  }
  return longest
}

/**
 * Limits texts to the bytes of UTF-8 that a model's positions hold where each has the longest token. A longer one is refused
 * before it is cut into tokens, which holds up all else that a server does.
 */
export function textLimit(tokenizer: Tokenizer, positions: number): TextLimit {
  const longest = longestToken(tokenizer)
  const most = positions * longest
  return (text, param) => {
    // A code unit has three bytes at most.
    if (3 * text.length <= most) return Effect.void
    const bytes = lengthOf(text.replaceAll(HIDDEN, ""))
    if (bytes <= most) return Effect.void
    const message =
      `${param}: a text of ${bytes} bytes is too long: ${positions} positions of the model hold at most ` +
      `${most}, ${longest} for each token; send a shorter one`
    return Effect.fail(badField(param, message, "context_length_exceeded"))
  }
}
