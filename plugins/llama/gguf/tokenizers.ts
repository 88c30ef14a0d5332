import type { GgufTokenizers } from "../../../core/weights/mod.ts"
import { bytes, wordsOfBytes } from "../../gguf_fields/mod.ts"

const digits = { type: "Digits", individual_digits: true } as const

/** Names that llama.cpp has for the tokenizers of the family's models. */
export const tokenizers: GgufTokenizers = {
  kinds: { gpt2: "bytes", llama: "pieces" },
  cuts: {
    "gpt-2": { parts: [bytes(true)] },
    smollm: { parts: [digits, bytes(true)] },
    "llama-bpe": { parts: wordsOfBytes("\\p{N}{1,3}"), wholeWords: true, addsBos: true },
    qwen2: { normalizer: { type: "NFC" }, parts: wordsOfBytes("\\p{N}") },
  },
}
