/**
 * Fields of GGUF files that several families read and write, and parts of tokenizers that they call by names.
 * @module
 */
import type { GgufValue } from "../../core/formats/gguf/gguf_types.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"

/** A whole number. */
export const count = (value: number): GgufValue => ({ type: "uint32", value })

/** Another number. */
export const real = (value: number): GgufValue => ({ type: "float32", value })

/** A file's metadata: its architecture, and the fields whose names begin with it. */
export const architectureFields = (
  architecture: string,
  values: Readonly<Record<string, GgufValue>>,
): ReadonlyMap<string, GgufValue> =>
  new Map([
    ["general.architecture", { type: "string", value: architecture } as const],
    ...Object.entries(values).map(([name, value]) => [`${architecture}.${name}`, value] as const),
  ])

/** Ids of special tokens that a config names. */
export function tokensIn(metadata: ConfigReader): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries({ bos_token_id: "bos", eos_token_id: "eos", pad_token_id: "padding" }).flatMap(([field, name]) => {
      const id = metadata.optional(
        `tokenizer.ggml.${name}_token_id`,
        (key) => metadata.integer(key, { min: 0 }),
      )
      return id === undefined ? [] : [[field, id]]
    }),
  )
}

/** A field that may be left out, and otherwise has one value. */
export function mustBe(metadata: ConfigReader, name: string, value: number): void {
  if ((metadata.optional(name, (name) => metadata.number(name)) ?? value) === value) return
  throw metadata.error(name, `${value} or left out: a model with another value is not known here`)
}

type Part = Readonly<Record<string, unknown>>

/** Bytes as tokens; the words of GPT-2 with them, or words that were cut before. */
export const bytes = (words: boolean): Part => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: words,
})

/** Pre-tokenizers of bytes within words with one character before them, and within `numbers`, an expression. */
export const wordsOfBytes = (numbers: string): ReadonlyArray<Part> => [
  {
    type: "Split",
    pattern: {
      Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|` +
        "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    },
    behavior: "Isolated",
    invert: false,
  },
  bytes(false),
]
