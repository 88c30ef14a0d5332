import type { Fields } from "./fields.ts"
import { readKind } from "./normalizers.ts"
import { readPattern, replaceMatches } from "./text/patterns.ts"
import { readScheme } from "./pre_tokenizers.ts"
import { BYTE_CHARACTERS, bytesOf } from "./text/unicode.ts"

/** Makes texts of tokens; joined, they are the text. */
export type Decoder = (tokens: ReadonlyArray<string>) => ReadonlyArray<string>

/** Takes spaces out before punctuation and English endings. */
export const cleanUp = (text: string): string =>
  [" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're"].reduce(
    (done, part, at) => (at === 4 ? done.replaceAll(" ' ", "'") : done).replaceAll(part, part.slice(1)),
    text,
  )

const BYTES = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))

const byteLevel = (fields: Fields): Decoder => {
  fields.ignore("add_prefix_space", "trim_offsets", "use_regex")
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  return (tokens) => {
    const bytes: Array<number> = []
    for (const token of tokens) {
      const spelt = Array.from(token, (character) => BYTES.get(character))
      bytes.push(...(spelt.includes(undefined) ? bytesOf(token) : spelt as Array<number>))
    }
    return [utf8.decode(Uint8Array.from(bytes))]
  }
}

const byteFallback = (): Decoder => (tokens) => {
  const texts: Array<string> = []
  let bytes: Array<number> = []
  const flush = (): void => {
    if (bytes.length === 0) return
    try {
      texts.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes)))
    } catch {
      for (const _ of bytes) texts.push("\ufffd")
    }
    bytes = []
  }
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)
    if (byte !== null) bytes.push(parseInt(byte[1], 16))
    else {
      flush()
      texts.push(token)
    }
  }
  flush()
  return texts
}

const wordPiece = (fields: Fields): Decoder => {
  const prefix = fields.string("prefix")
  const clean = fields.boolean("cleanup")
  const tidy = (text: string): string => cleanUp(text.replaceAll(" do not", " don't"))
  return (tokens) =>
    tokens.map((token, at) => {
      const text = at === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
      return clean ? tidy(text) : text
    })
}

const metaspace = (fields: Fields): Decoder => {
  const mark = fields.character("replacement")
  const never = readScheme(fields) === "never"
  fields.ignore("split", "str_rep")
  return (tokens) => tokens.map((token, at) => token.replaceAll(mark, at === 0 && !never ? "" : " "))
}

const bpe = (fields: Fields): Decoder => {
  const suffix = fields.string("suffix")
  return (tokens) => tokens.map((token, at) => token.replaceAll(suffix, at === tokens.length - 1 ? "" : " "))
}

const ctc = (fields: Fields): Decoder => {
  const [pad, between] = [fields.string("pad_token"), fields.string("word_delimiter_token")]
  const clean = fields.boolean("cleanup")
  return (tokens) =>
    tokens.filter((token, at) => token !== tokens[at - 1])
      .map((token) => token.replaceAll(pad, ""))
      .map((text) => clean ? cleanUp(text).replaceAll(between, " ") : text)
      .filter((text) => text !== "")
}

const replace = (fields: Fields): Decoder => {
  const pattern = readPattern(fields)
  const content = fields.string("content")
  return (tokens) => tokens.map((token) => replaceMatches(token, pattern, content))
}

const strip = (fields: Fields): Decoder => {
  const content = fields.character("content")
  const [start, stop] = [fields.count("start"), fields.count("stop")]
  return (tokens) =>
    tokens.map((token) => {
      const characters = [...token]
      let [from, to] = [0, characters.length]
      while (from < start && from < to && characters[from] === content) from++
      while (characters.length - to < stop && to > from && characters[to - 1] === content) to--
      return characters.slice(from, to).join("")
    })
}

const KINDS: Readonly<Record<string, (fields: Fields) => Decoder>> = {
  BPEDecoder: bpe,
  ByteLevel: byteLevel,
  WordPiece: wordPiece,
  Metaspace: metaspace,
  CTC: ctc,
  Sequence: (fields) => {
    const parts = fields.items("decoders").map(readDecoder)
    return (tokens) => parts.reduce((done, part) => part(done), tokens)
  },
  Replace: replace,
  Fuse: () => (tokens) => [tokens.join("")],
  Strip: strip,
  ByteFallback: byteFallback,
}

/** The decoder of a tokenizer.json. */
export const readDecoder = (fields: Fields): Decoder => readKind(fields, KINDS)
