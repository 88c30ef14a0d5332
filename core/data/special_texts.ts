/**
 * Special tokens that a text spells, which make it more than text.
 * @module
 */
import { keepNumerals } from "./readers/json/json_value.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"
import { escapePattern } from "./tokenizer/text/unicode.ts"

/** The special tokens of a tokenizer, as texts spell them. */
export const specialTexts = ({ vocabSize, decode, token }: Tokenizer): ReadonlyArray<string> =>
  Array.from({ length: vocabSize }, (_, id) => id)
    .filter((id) => decode([id], { skipSpecialTokens: true }) === "" && decode([id]) !== "").map((id) => token(id)!)

/** Keeps special tokens from being found; a code point that no text has (Unicode 23.7). */
export const HIDDEN = "\ufdd0"

/**
 * Puts {@link HIDDEN} between the characters of special tokens in all texts and names of a value, so that `Tokenizer.encode` with
 * `hidden` reads them as text.
 */
export function hideSpecial(specials: ReadonlyArray<string>): <A>(value: A) => A {
  const longest = specials.filter(({ length }) => length > 0).sort((a, b) => b.length - a.length)
  const any = new RegExp(longest.map(escapePattern).join("|"), "gu")
  const hidden = new Map(longest.map((special) => [special, [...special, ""].join(HIDDEN)]))
  const hide = (value: unknown): unknown => {
    if (typeof value === "string") {
      return longest.length === 0 ? value : value.replace(any, (found) => hidden.get(found)!)
    }
    if (Array.isArray(value)) return keepNumerals(value, value.map(hide))
    if (typeof value !== "object" || value === null) return value
    return keepNumerals(value, Object.fromEntries(Object.entries(value).map((pair) => pair.map(hide))))
  }
  return hide as <A>(value: A) => A
}
