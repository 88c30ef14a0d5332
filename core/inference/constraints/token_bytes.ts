import { BYTE_CHARACTERS, bytesOf } from "../../data/tokenizer/text/unicode.ts"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"

const ofTokenizer = new WeakMap<Tokenizer, ReadonlyArray<Uint8Array | undefined>>()
const BYTE = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))

/**
 * Bytes of UTF-8 that each token of a tokenizer stands for within a text, by id; undefined for special tokens and unknown ids.
 * They are read once for each tokenizer.
 */
export function tokenBytes(tokenizer: Tokenizer): ReadonlyArray<Uint8Array | undefined> {
  const known = ofTokenizer.get(tokenizer)
  if (known !== undefined) return known
  const read = isByteLevel(tokenizer) ? byteLevel : decoded(tokenizer)
  const all = Array.from({ length: tokenizer.vocabSize }, (_, id) => {
    const token = tokenizer.token(id)
    return token === undefined || isSpecial(tokenizer, id) ? undefined : read(token, id)
  })
  ofTokenizer.set(tokenizer, all)
  return all
}

const isSpecial = ({ decode }: Tokenizer, id: number): boolean =>
  decode([id], { skipSpecialTokens: true }) === "" && decode([id]) !== ""

/** Whether tokens are spelt with a character for each byte: "Ġ" is a space then. */
function isByteLevel({ id, decode }: Tokenizer): boolean {
  const space = id(BYTE_CHARACTERS[32])
  return space !== undefined && decode([space]) === " "
}

const byteLevel = (token: string): Uint8Array => {
  const spelt = Array.from(token, (character) => BYTE.get(character))
  return spelt.includes(undefined) ? bytesOf(token) : Uint8Array.from(spelt as Array<number>)
}

/** What a token adds to a text: after another token, as decoders write the first one otherwise. */
function decoded({ decode, vocabSize, token }: Tokenizer): (token: string, id: number) => Uint8Array {
  const isPlain = (id: number) => /^[a-zA-Z]$/.test(token(id) ?? "")
  const first = Array.from({ length: vocabSize }, (_, id) => id).find(isPlain)
  const before = first === undefined ? [] : [first]
  const skipped = decode(before).length
  return (token, id) => {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)
    if (byte !== null) return Uint8Array.of(parseInt(byte[1], 16))
    return bytesOf(decode([...before, id]).slice(skipped))
  }
}
