import * as Effect from "effect/Effect"
import { HIDDEN } from "../../../core/data/special_texts.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenBytes } from "../../../core/inference/text/mod.ts"
import { type ApiError, badField } from "../requests/api_error.ts"

/** Fails where a text is too long to be cut into tokens; `param` is the field of the request that has it. */
export type TextLimit = (text: string, param: string) => Effect.Effect<void, ApiError>

const encoder = new TextEncoder()
const lengthOf = (text: string): number => encoder.encode(text).length

/**
 * Limits texts to the bytes of UTF-8 that a model's positions hold where each has the longest token. A longer one is refused
 * before it is cut into tokens, which holds up all else that a server does.
 */
export function textLimit(tokenizer: Tokenizer, positions: number): TextLimit {
  const bytesOf = (bytes: Uint8Array | undefined, id: number) => bytes?.length ?? lengthOf(tokenizer.token(id) ?? "")
  const longest = tokenBytes(tokenizer).map(bytesOf).reduce((a, b) => Math.max(a, b), 1)
  const most = positions * longest
  return (text, param) => {
    // A code unit has three bytes at most.
    if (3 * text.length <= most) return Effect.void
    const bytes = lengthOf(text.replaceAll(HIDDEN, ""))
    if (bytes <= most) return Effect.void
    const message =
      `${param}: a text of ${bytes} bytes is too long: ${positions} positions of the model hold at most ` +
      `${most}, as its longest token has ${longest}; send a shorter one`
    return Effect.fail(badField(param, message, "context_length_exceeded"))
  }
}
