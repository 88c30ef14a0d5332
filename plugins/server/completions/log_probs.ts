/**
 * Probabilities of tokens as chats and texts have them.
 * @module
 */
import type { ScoredToken } from "../served.ts"

const encoder = new TextEncoder()

/** A token of a chat. Bytes that are a part of a character are not known. */
const named = (text: string, logProbability: number) => ({
  token: text,
  logprob: logProbability,
  bytes: text.includes("\ufffd") ? null : Array.from(encoder.encode(text)),
})

/** `logprobs` of a chat's answer: of the tokens whose text it has. */
export const ofChat = (tokens: ReadonlyArray<ScoredToken>): unknown => ({
  content: tokens.filter(({ ends }) => ends === undefined).map(({ text, logProbability = 0, alternatives }) => ({
    ...named(text, logProbability),
    top_logprobs: alternatives.map((one) => named(one.text, one.logProbability)),
  })),
  refusal: null,
})

/**
 * `logprobs` of a text, with the token that ends it. The likeliest tokens are an object by text, with the token itself; of two tokens with one text it
 * has the likelier.
 *
 * @param offset Where the first token begins in the text.
 */
export function ofText(tokens: ReadonlyArray<ScoredToken>, offset: number): unknown {
  let at = offset
  return {
    text_offset: tokens.map(({ text }) => {
      const own = at
      at += text.length
      return own
    }),
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logProbability = null }) => logProbability),
    top_logprobs: tokens.map(({ text, logProbability, alternatives }) => {
      if (logProbability === undefined) return null
      const top: Record<string, number> = {}
      for (const one of [...alternatives, { text, logProbability }]) {
        top[one.text] = Math.max(top[one.text] ?? -Infinity, one.logProbability)
      }
      return top
    }),
  }
}
