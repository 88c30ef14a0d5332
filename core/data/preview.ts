import { type Example, followsLabel } from "./encode.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"

/** One token of a preview. */
export interface PreviewToken {
  /** Token id. */
  readonly id: number
  /** What it adds to the text: joined, these are the decoded text. */
  readonly text: string
  /**
   * The vocabulary's spelling, of a token that cannot be told from the text: one without text of its own, or some bytes of
   * a character.
   */
  readonly spelling?: string
  /** Whether the model learns to write it. */
  readonly trained: boolean
}

/**
 * An example token by token, those that the model learns to write marked.
 *
 * @param written A task's `written`. Default: {@link followsLabel}.
 */
export const preview = (
  example: Example,
  tokenizer: Tokenizer,
  written: (example: Example, index: number) => boolean = followsLabel,
): ReadonlyArray<PreviewToken> => {
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
  /** Where a token ends in the text. */
  readonly at: number
  /** Whether the tokens up to it, decoded, are the text up to there. */
  readonly clean: boolean
}

/** Tokens that are decoded before those whose text is sought: a decoder looks at what stands before a token. */
const CONTEXT = 4
/** Tokens that are decoded together: texts of any length take time in proportion. */
const WINDOW = 32

/** Where each token ends in the decoded text: as far as the tokens up to it, decoded, are the text. */
const endsOf = (ids: ReadonlyArray<number>, text: string, tokenizer: Tokenizer): ReadonlyArray<End> => {
  const ends: Array<End> = []
  // A window begins at a clean end; what comes before it, decoded, is `known`.
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

/** Characters that a text has in common with another from `base` on. */
const commonLength = (own: string, text: string, base: number): number => {
  let common = 0
  while (common < own.length && own[common] === text[base + common]) common++
  return common
}

/**
 * A preview as one line of text: tokens parted by `|`, trained ones in brackets, or in green on a terminal (`color`).
 * Line ends and control characters are written as escapes.
 */
export const formatPreview = (
  tokens: ReadonlyArray<PreviewToken>,
  options: { readonly color?: boolean } = {},
): string => {
  const escaped = ({ text, spelling = text }: PreviewToken) =>
    JSON.stringify(spelling).slice(1, -1).replaceAll('\\"', '"')
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
