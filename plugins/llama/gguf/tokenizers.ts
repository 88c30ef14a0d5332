import type { GgufTokenizers } from "../../../core/weights/mod.ts"

type Json = Readonly<Record<string, unknown>>

const split = (expression: string): Json => ({
  type: "Split",
  pattern: { Regex: expression },
  behavior: "Isolated",
  invert: false,
})
const bytes = (words: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: words,
})
const digits: Json = { type: "Digits", individual_digits: true }

/** Words with one character before them, and `numbers`. */
const words = (numbers: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|` +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** Names that llama.cpp has for the tokenizers of the family's models. */
export const tokenizers: GgufTokenizers = {
  kinds: { gpt2: "bytes", llama: "pieces" },
  cuts: {
    "gpt-2": { parts: [bytes(true)] },
    smollm: { parts: [digits, bytes(true)] },
    "llama-bpe": { parts: [split(words("\\p{N}{1,3}")), bytes(false)], wholeWords: true, addsBos: true },
    qwen2: { normalizer: { type: "NFC" }, parts: [split(words("\\p{N}")), bytes(false)] },
  },
}
