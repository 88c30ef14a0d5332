import { quoted } from "../data_error.ts"
import { type Fields, tokenizerError } from "./fields.ts"
import { readPattern, replaceMatches } from "./text/patterns.ts"
import { precompiled } from "./text/precompiled.ts"
import { byteCharacters, IDEOGRAPH, SPACE, spaceAfter, spaceBefore } from "./text/unicode.ts"

/** A text as it is before it is cut. */
export type Normalizer = (text: string) => string

/** Letter by letter, so that a sigma at the end of a word is as any other. */
const lowercase = (text: string): string =>
  // deno-lint-ignore no-control-regex
  /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : text.replace(/\P{ASCII}|[A-Z]/gu, (letter) => letter.toLowerCase())

const CONTROL = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu
const SPACES = new RegExp(`[${SPACE}]`, "gu")
const IDEOGRAPHS = new RegExp(`[${IDEOGRAPH}]`, "gu")

const cleanWords = (fields: Fields): Normalizer => {
  const clean = fields.boolean("clean_text")
  const ideographs = fields.boolean("handle_chinese_chars")
  const lower = fields.boolean("lowercase")
  const strip = fields.optional("strip_accents", fields.boolean) ?? lower
  return (text) => {
    if (clean) text = text.replace(CONTROL, "").replace(SPACES, " ")
    if (ideographs) text = text.replace(IDEOGRAPHS, " $& ")
    if (strip) text = text.normalize("NFD").replace(/\p{Mn}/gu, "")
    return lower ? lowercase(text) : text
  }
}

const strip = (fields: Fields): Normalizer => {
  const [left, right] = [fields.boolean("strip_left"), fields.boolean("strip_right")]
  return (text) => {
    const start = left ? spaceAfter(text, 0) : 0
    return text.slice(start, right ? spaceBefore(text, text.length, start) : undefined)
  }
}

const replace = (fields: Fields): Normalizer => {
  const pattern = readPattern(fields)
  const content = fields.string("content")
  return (text) => replaceMatches(text, pattern, content)
}

const prepend = (fields: Fields): Normalizer => {
  const before = fields.string("prepend")
  return (text) => text === "" ? "" : before + text
}

// deno-lint-ignore no-control-regex
const NMT_REMOVED = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g

const form = (name: string) => (): Normalizer => (text) => text.normalize(name)

const KINDS: Readonly<Record<string, (fields: Fields) => Normalizer>> = {
  BertNormalizer: cleanWords,
  Strip: strip,
  Replace: replace,
  Prepend: prepend,
  Sequence: (fields) => {
    const parts = fields.items("normalizers").map(readNormalizer)
    return (text) => parts.reduce((done, part) => part(done), text)
  },
  NFC: form("NFC"),
  NFD: form("NFD"),
  NFKC: form("NFKC"),
  NFKD: form("NFKD"),
  Nmt: () => (text) => text.replace(NMT_REMOVED, "").replace(NMT_SPACES, " "),
  Lowercase: () => lowercase,
  StripAccents: () => (text) => text.replace(/\p{M}/gu, ""),
  ByteLevel: () => byteCharacters,
  Precompiled: (fields) => precompiled(fields.string("precompiled_charsmap"), fields.where),
}

/** The normalizer of a tokenizer.json. */
export const readNormalizer = (fields: Fields): Normalizer => readKind(fields, KINDS)

/** Reads a part of a tokenizer.json by its type. */
export const readKind = <A>(fields: Fields, kinds: Readonly<Record<string, (fields: Fields) => A>>): A => {
  const type = fields.string("type")
  if (!Object.hasOwn(kinds, type)) {
    throw tokenizerError(
      `${fields.where}: type ${JSON.stringify(type)} is not known; known: ${quoted(Object.keys(kinds))}`,
    )
  }
  const part = kinds[type](fields)
  fields.done()
  return part
}
