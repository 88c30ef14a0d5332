import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import type { Alternative, AnswerPart, NewToken, TokenProbabilities } from "../../../core/inference/text/mod.ts"
import type { AnswerPiece, ScoredToken } from "../served.ts"

/** A token with its text. */
export function scored(
  { token, logProbability, alternatives = [] }: TokenProbabilities & { readonly token: number },
  { decode }: Pick<Tokenizer, "decode">,
): ScoredToken {
  const named = (one: Alternative) => ({ ...one, text: decode([one.token]) })
  const own = logProbability === undefined ? {} : { logProbability }
  return { token, text: decode([token]), ...own, alternatives: alternatives.map(named) }
}

/** A part of an engine's answer, as a server sends it; `stop` are the tokens that end it. */
export function pieceOf(
  { text, tokens, end }: AnswerPart,
  tokenizer: Tokenizer,
  stop: ReadonlyArray<number>,
): AnswerPiece {
  const finished = end === undefined ? {} : { finished: end.reason === "length" ? "length" : "stop" } as const
  const one = (token: NewToken) => ({
    ...scored(token, tokenizer),
    ...token.finished === "stop" && stop.includes(token.token) ? { ends: true } as const : {},
  })
  return { text, tokens: tokens.map(one), ...finished }
}
