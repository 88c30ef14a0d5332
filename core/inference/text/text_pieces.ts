import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { textAfter } from "../generate.ts"

/** Text of tokens that come one by one. */
export interface TextPieces {
  /** Takes a token. Gives what is certain of the text, and was not given before. */
  readonly add: (token: number) => string
  /** Gives the rest. */
  readonly end: () => string
}

/** A text counts as certain when this many further tokens left it as it is: decoders join, clean up and complete what was last. */
const LATER = 2
/** Tokens that are decoded again with each new one: those of the text, at most, and those before it. */
const WINDOW = 64, CONTEXT = 16

/**
 * Cuts the text that follows a prompt into pieces of whole characters. Joined, they are the text of all tokens: a piece is
 * given when later tokens cannot change it, so that it may come some tokens late.
 */
export function textPieces(tokenizer: Pick<Tokenizer, "decode" | "token">, prompt: ArrayLike<number>): TextPieces {
  const context = Array.from(prompt)
  const made: number[] = []
  /** Texts of the window, after each of the last tokens. */
  let texts = [""]
  let given = 0
  /** Takes what is certain in any case out of the window. */
  const shorten = () => {
    const count = made.length - LATER
    const [settled] = texts
    if (made.length <= WINDOW || given < settled.length) return
    context.push(...made.splice(0, count))
    context.splice(0, context.length - CONTEXT)
    texts = texts.map((text) => text.slice(settled.length))
    given -= settled.length
  }
  return {
    add: (token) => {
      made.push(token)
      texts = [...texts, textAfter(tokenizer, context, made)].slice(-1 - LATER)
      // Of a character in bytes the beginning spoils the bytes before it.
      if (/^<0x[0-9A-F]{2}>$/.test(tokenizer.token(token) ?? "") || made.length <= LATER) return ""
      const certain = texts.reduce(common).replace(/\ufffd+$/, "")
      const piece = certain.slice(given)
      given = Math.max(given, certain.length)
      shorten()
      return piece
    },
    end: () => texts.at(-1)!.slice(given),
  }
}

/** What both texts begin with; a pair of surrogates is not divided. */
function common(a: string, b: string): string {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return a.slice(0, length - (/[\ud800-\udbff]/.test(a[length - 1] ?? "") ? 1 : 0))
}
