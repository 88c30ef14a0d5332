import type { Vocabulary } from "./vocabulary.ts"
import { quoted } from "../../data_error.ts"
import { tokenizerError } from "../../tokenizer/fields.ts"

type Json = Readonly<Record<string, unknown>>

/** How texts are cut before pairs of bytes are merged. */
interface Cut {
  readonly normalizer?: Json
  readonly parts: ReadonlyArray<Json>
  /** Whether a whole word that is a token is taken without merges. Default false. */
  readonly wholeWords?: boolean
  /** Whether a text begins with the bos token where the file does not say. Default false. */
  readonly addsBos?: boolean
}

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

/** Values of `tokenizer.ggml.pre`, each compared with the tokenizer that it was converted from. */
const CUTS: Readonly<Record<string, Cut>> = {
  "gpt-2": { parts: [bytes(true)] },
  smollm: { parts: [digits, bytes(true)] },
  "llama-bpe": { parts: [split(words("\\p{N}{1,3}")), bytes(false)], wholeWords: true, addsBos: true },
  qwen2: { normalizer: { type: "NFC" }, parts: [split(words("\\p{N}")), bytes(false)] },
}

/** Parts of a tokenizer.json for byte-pair encoding of bytes (`tokenizer.ggml.model` is gpt2). */
export function byteLevel({ tokens, fields }: Vocabulary): Json & { readonly addsBos: boolean } {
  const pre = fields.optional("tokenizer.ggml.pre", fields.string)
  if (pre === undefined || !Object.hasOwn(CUTS, pre)) {
    const what = pre === undefined ? "does not say how texts are cut" : `cuts texts by "${pre}"`
    throw tokenizerError(
      `${fields.where}: its tokenizer ${what} (tokenizer.ggml.pre), which is not known here; known: ` +
        `${quoted(Object.keys(CUTS))}: put the model's tokenizer.json beside the file, and give the directory`,
    )
  }
  const { normalizer = null, parts, wholeWords = false, addsBos = false } = CUTS[pre]
  return {
    addsBos,
    normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: parts },
    decoder: bytes(true),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: wholeWords,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: fields.list("tokenizer.ggml.merges"),
    },
  }
}

/** The value of `tokenizer.ggml.pre` for how a tokenizer.json cuts texts; undefined where there is none. */
export function preOf({ normalizer, pre_tokenizer, model }: Json): string | undefined {
  const steps = (value: unknown) => {
    const { type, pretokenizers } = (value ?? {}) as {
      readonly type?: string
      readonly pretokenizers?: ReadonlyArray<Json>
    }
    return JSON.stringify((type === "Sequence" ? pretokenizers! : [value as Json]).map(plainStep))
  }
  const ignoresMerges = (model as Json).ignore_merges === true
  const found = Object.entries(CUTS).find(([, { normalizer: own = null, parts, wholeWords = false }]) =>
    JSON.stringify(normalizer ?? null) === JSON.stringify(own) && wholeWords === ignoresMerges &&
    JSON.stringify(parts.map(plainStep)) === steps(pre_tokenizer)
  )
  return found?.[0]
}

/** A step without what changes no token, its fields in order. */
const plainStep = ({ trim_offsets: _, ...step }: Json): unknown =>
  Object.entries(step).sort(([a], [b]) => a < b ? -1 : 1)
