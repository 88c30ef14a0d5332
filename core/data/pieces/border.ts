import type { Tokenizer } from "../tokenizer/tokenizer.ts"

/** Tokens before the border that are decoded with those at it: decoders look at what stands before a token. */
const CONTEXT = 8
/** Characters that a decoder may take back when more tokens come. */
const SLACK = 8

/** Where a prompt ends in the tokens of prompt and completion. */
export interface Border {
  /** Number of tokens that hold nothing but the prompt. */
  readonly tokens: number
  /** Whether the prompt's last tokens are others than when it is encoded alone. */
  readonly moved: boolean
  /** Whether the next token holds the end of the prompt and the start of what follows. */
  readonly spanned: boolean
}

/**
 * Finds the border of a prompt within the tokens of prompt and completion in one. As far as they are the prompt's own
 * tokens they belong to it; behind that, as long as what they are decoded to is. A token that spans the border belongs to
 * the completion: it holds some of its text.
 */
export const borderOf = (whole: Int32Array, prompt: Int32Array, tokenizer: Tokenizer): Border => {
  let same = 0
  while (same < prompt.length && whole[same] === prompt[same]) same++
  if (same === prompt.length) return { tokens: same, moved: false, spanned: false }
  const from = Math.max(0, same - CONTEXT)
  const asked = tokenizer.decode(prompt.subarray(from))
  let tokens = same, spanned = true
  for (let end = same + 1; end < whole.length; end++) {
    const text = tokenizer.decode(whole.subarray(from, end))
    if (isPartOf(text, asked)) tokens = end
    if (text === asked) spanned = false
    if (!spanned || text.length > asked.length + SLACK) break
  }
  return { tokens, moved: true, spanned }
}

/** Whether a text is the start of another, its last character perhaps without its last bytes. */
const isPartOf = (text: string, whole: string): boolean => {
  if (whole.startsWith(text)) return true
  const known = text.replace(/\ufffd+$/, "")
  return known.length < Math.min(text.length, whole.length) && whole.startsWith(known)
}
