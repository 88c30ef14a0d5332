import { type Example, MASKED } from "./encode.ts"
import type { Tokenizer } from "./tokenizer.ts"

/** One token of a preview. */
export interface PreviewToken {
  /** Token id. */
  readonly id: number
  /** Its text; the vocabulary's spelling where the token alone is not valid UTF-8. */
  readonly text: string
  /** Whether the model learns to write it. */
  readonly trained: boolean
}

/** An example token by token, with what is trained on marked. For classification no token is. */
export const preview = (example: Example, tokenizer: Tokenizer): ReadonlyArray<PreviewToken> =>
  Array.from(example.tokens, (id, index) => {
    const text = tokenizer.decode([id])
    const whole = text !== "" && !text.includes("\ufffd")
    return {
      id,
      text: whole ? text : tokenizer.token(id) ?? `<${id}>`,
      trained: example.labels !== undefined && example.labels[index] !== MASKED,
    }
  })

/**
 * A preview as one line of text: tokens parted by `|`, trained ones in brackets, or in green on a terminal (`color`).
 * Line ends and control characters are written as escapes.
 */
export const formatPreview = (
  tokens: ReadonlyArray<PreviewToken>,
  options: { readonly color?: boolean } = {},
): string => {
  const escaped = ({ text }: PreviewToken) =>
    JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')
      // Control characters that JSON leaves alone but a terminal obeys.
      .replace(/[\x7f-\x9f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
  if (options.color === true) {
    return tokens.map((token) =>
      token.trained ? `\x1b[32;1m${escaped(token)}\x1b[0m` : `\x1b[2m${escaped(token)}\x1b[0m`
    )
      .join("|")
  }
  return tokens.map((token) => (token.trained ? `[${escaped(token)}]` : escaped(token))).join("|")
}
