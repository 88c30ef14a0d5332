import { tokenizerError } from "../fields.ts"
import { bytesOf } from "./unicode.ts"

/**
 * SentencePiece's table of replacements: a double-array trie over UTF-8, and the texts that it points into.
 *
 * @throws DataError `Tokenizer` when the table is not one.
 */
export const precompiled = (base64: string, where: string): (text: string) => string => {
  const lookUp = readTable(base64, where)
  const single = new Map<string, string | undefined>()
  const replace = (part: string): string | undefined => {
    if (part.length > 2) return lookUp(part)
    if (!single.has(part)) single.set(part, lookUp(part))
    return single.get(part)
  }
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })
  const cluster = (segment: string): string => {
    // The reference tries short clusters as a whole, then each character.
    const whole = bytesOf(segment).length < 6 ? replace(segment) : undefined
    return whole ?? Array.from(segment, (character) => replace(character) ?? character).join("")
  }
  const kept = PRINTABLE.every((character) => replace(character) === undefined)
  const others = kept ? /[^ -~]/g : /[^]/g
  // Within ASCII there are no clusters to look for, but for one end of line.
  return (text) =>
    text.split(CLUSTERS).map((part, at) =>
      at % 2 === 0
        ? part.replace(others, (character) => replace(character) ?? character)
        : Array.from(graphemes.segment(part), ({ segment }) => cluster(segment)).join("")
    ).join("")
}

// deno-lint-ignore no-control-regex
const CLUSTERS = /((?:[\0-\x7f]?[^\0-\x0c\x0e-\x7f])+\n?)/
const PRINTABLE = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))

const readTable = (base64: string, where: string): (text: string) => string | undefined => {
  let bytes: Uint8Array
  try {
    const text = atob(base64)
    bytes = new Uint8Array(text.length)
    for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at)
  } catch (cause) {
    throw tokenizerError(`${where}: field "precompiled_charsmap" is not base64`, cause)
  }
  const size = bytes.length < 4 ? -1 : new DataView(bytes.buffer).getUint32(0, true)
  if (size < 0 || size % 4 !== 0 || 4 + size > bytes.length) {
    throw tokenizerError(`${where}: field "precompiled_charsmap" is cut or not a table of replacements`)
  }
  const units = new Uint32Array(bytes.slice(4, 4 + size).buffer)
  const texts = bytes.subarray(4 + size)
  const utf8 = new TextDecoder()
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6)
  return (text) => {
    let node = offset(units[0] ?? 0)
    for (const byte of bytesOf(text)) {
      if (byte === 0) return undefined
      node ^= byte
      const unit = units[node] ?? 0
      // The label, with the bit that marks a value, which no byte has.
      if ((unit & 0x800000ff) !== byte) return undefined
      node ^= offset(unit)
      if ((unit & 0x100) === 0) continue
      // The shortest key counts, as in the reference.
      const start = (units[node] ?? 0) & 0x7fffffff
      const end = texts.indexOf(0, start)
      return utf8.decode(texts.subarray(start, end < 0 ? texts.length : end))
    }
    return undefined
  }
}
