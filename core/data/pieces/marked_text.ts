import type { Tokenizer } from "../tokenizer/tokenizer.ts"
import { borderOf } from "./border.ts"
import type { Pieces } from "./pieces.ts"

const none = new Int32Array(0)

/**
 * A text with parts, encoded in one without tokens around it, and the parts as tokens: all that hold some of a part's text.
 */
export const markedPieces = (
  { text, trained }: {
    readonly text: string
    readonly trained: ReadonlyArray<readonly [from: number, to: number]>
  },
  tokenizer: Tokenizer,
): Pieces & { readonly trained: ReadonlyArray<readonly [from: number, to: number]> } => {
  const encoded = (text: string) => tokenizer.encode(text, { addSpecialTokens: false })
  const body = encoded(text)
  const borderAt = (at: number) => borderOf(body, encoded(text.slice(0, at)), tokenizer)
  return {
    before: none,
    body,
    after: none,
    found: {},
    trained: trained.map(([from, to]) => {
      const end = to === text.length ? { tokens: body.length, spanned: false } : borderAt(to)
      return [borderAt(from).tokens, end.tokens + (end.spanned ? 1 : 0)]
    }),
  }
}
