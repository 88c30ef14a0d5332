import { type Example, followsLabel } from "./encode.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"

/** One token of a preview. */
export interface PreviewToken {
  /** Token id. */
  readonly id: number
  /** Its part of the decoded text. */
  readonly text: string
  /** The vocabulary's spelling, if the text does not show the token: it has no text, or some bytes of a character. */
  readonly spelling?: string
  /** Whether it is trained on. */
  readonly trained: boolean
}

/**
 * The tokens of an example, with marks on those that are trained on: of a target, which follows its source, all are.
 *
 * @param written A task's `written`. Default: {@link followsLabel}.
 */
export const preview = (
  example: Example,
  tokenizer: Tokenizer,
  written: (example: Example, index: number) => boolean = followsLabel,
): ReadonlyArray<PreviewToken> => {
  const { target, ...source } = example
  if (target !== undefined) {
    const targets = preview({ ...source, tokens: target }, tokenizer, () => true)
    return [...preview(source, tokenizer, () => false), ...targets]
  }
  const ids = Array.from(example.tokens)
  const text = tokenizer.decode(ids)
  const ends = endsOf(ids, text, tokenizer)
  return ids.map((id, index) => {
    const [from, to] = [index === 0 ? { at: 0, clean: true } : ends[index - 1], ends[index]]
    const trained = written(example, index)
    const whole = from.clean && to.clean && from.at < to.at
    const spelling = whole ? {} : { spelling: tokenizer.token(id) ?? `<${id}>` }
    return { id, text: text.slice(from.at, to.at), ...spelling, trained }
  })
}

interface End {
  /** Offset of the token's end in the text. */
  readonly at: number
  /** Whether the decoded tokens up to it equal the text up to there. */
  readonly clean: boolean
}

/** Tokens of context: a decoder may depend on the tokens before. */
const CONTEXT = 4
/** Tokens that are decoded together, so that the time is linear in the length. */
const WINDOW = 32

/** The end of each token in the decoded text. */
const endsOf = (ids: ReadonlyArray<number>, text: string, tokenizer: Tokenizer): ReadonlyArray<End> => {
  const ends: Array<End> = []
  // A window begins at a clean end; `known` is the decoded context before it.
  let start = 0, begin = 0, known = "", base = 0
  for (let index = 0; index < ids.length; index++) {
    const last = ends.at(-1)
    if (last?.clean && index - begin >= WINDOW) {
      ;[start, begin, base] = [index - CONTEXT, index, last.at]
      known = tokenizer.decode(ids.slice(start, begin))
    }
    const decoded = tokenizer.decode(ids.slice(start, index + 1))
    const own = decoded.startsWith(known) ? decoded.slice(known.length) : ""
    const common = commonLength(own, text, base)
    const at = index === ids.length - 1 ? text.length : Math.max(last?.at ?? 0, base + common)
    ends.push({ at, clean: base + common === at && (common === own.length || index === ids.length - 1) })
  }
  return ends
}

/** Length of the common start of `own` and of `text` from `base` on. */
const commonLength = (own: string, text: string, base: number): number => {
  let common = 0
  while (common < own.length && own[common] === text[base + common]) common++
  return common
}

/**
 * A preview as one line: `|` between tokens, trained ones in brackets, or in green (`color`). Line ends and control characters
 * are escaped.
 */
export const formatPreview = (
  tokens: ReadonlyArray<PreviewToken>,
  options: { readonly color?: boolean } = {},
): string => {
  const escaped = ({ text, spelling = text }: PreviewToken) =>
    JSON.stringify(spelling).slice(1, -1).replaceAll('\\"', '"')
      // Control characters that JSON does not escape.
      .replace(/[\x7f-\x9f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
  if (options.color === true) {
    return tokens.map((token) =>
      token.trained ? `\x1b[32;1m${escaped(token)}\x1b[0m` : `\x1b[2m${escaped(token)}\x1b[0m`
    )
      .join("|")
  }
  return tokens.map((token) => (token.trained ? `[${escaped(token)}]` : escaped(token))).join("|")
}
