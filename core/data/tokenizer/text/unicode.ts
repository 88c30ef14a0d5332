/** White space as Unicode has it; JavaScript's `\s` adds U+FEFF and lacks U+0085. */
export const SPACE = "\\p{White_Space}"

/** Letters, marks, digits and connectors, as `\w` is read in a Unicode regular expression. */
export const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

/** Punctuation: Unicode's and all of ASCII's symbols. */
export const PUNCTUATION = "\\p{P}\\u0021-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u007E"

/** Ideographs that count as words of their own. */
export const IDEOGRAPH =
  "\\u4E00-\\u9FFF\\u3400-\\u4DBF\\u{20000}-\\u{2A6DF}\\u{2A700}-\\u{2B73F}\\u{2B740}-\\u{2B81F}\\u{2B920}-\\u{2CEAF}\\uF900-\\uFAFF\\u{2F800}-\\u{2FA1F}"

/** A text as it stands, within a regular expression. */
export const escapePattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")

const IS_SPACE = new RegExp(SPACE, "u")

/** Where the white space that ends at a place begins, from `from` on. A pattern with `$` would try each space, and go on to the end. */
export const spaceBefore = (text: string, end: number, from = 0): number => {
  let start = end
  while (start > from && IS_SPACE.test(text[start - 1])) start--
  return start
}

/** Where the white space that begins at a place ends. */
export const spaceAfter = (text: string, start: number): number => {
  let end = start
  while (end < text.length && IS_SPACE.test(text[end])) end++
  return end
}

/** The character that stands for each byte in a byte-level vocabulary. */
export const BYTE_CHARACTERS: ReadonlyArray<string> = (() => {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const shown = byte >= 33 && byte <= 126 || byte >= 161 && byte <= 172 || byte >= 174
    return String.fromCharCode(shown ? byte : next++)
  })
})()

/** Bytes that stand for themselves. */
const PLAIN = /^[!-~]*$/

const utf8 = new TextEncoder()

/** UTF-8 bytes of a text. */
export const bytesOf = (text: string): Uint8Array => utf8.encode(text)

/** Bytes of a text as the characters that stand for them. */
export const byteCharacters = (text: string): string => {
  if (PLAIN.test(text)) return text
  let spelt = ""
  for (const byte of bytesOf(text)) spelt += BYTE_CHARACTERS[byte]
  return spelt
}
