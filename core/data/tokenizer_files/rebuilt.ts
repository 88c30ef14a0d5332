import type { Parts } from "./classes.ts"

type Json = Readonly<Record<string, unknown>>

/** What transformers 5 makes of a class: parts of a tokenizer.json, and tokens around a text. */
export interface Rebuilt {
  readonly normalizer: unknown
  readonly pre_tokenizer: unknown
  readonly model: Json
  /** Undefined where tokenizer.json decides. */
  readonly decoder?: unknown
  /** Names of special tokens before and after a text. Left out where tokenizer.json decides. */
  readonly around?: readonly [before: string, after: string]
}

const bytes = (space: boolean, regex = true): Json => ({
  type: "ByteLevel",
  add_prefix_space: space,
  use_regex: regex,
})
const decodesBytes: Json = { type: "ByteLevel" }
const decodesMarks = (scheme: string): Json => ({ type: "Metaspace", replacement: "\u2581", prepend_scheme: scheme })
/** Marks and bytes of marked text turned back; the space before a text goes where one was put there. */
const decodesText = (space: boolean): Json => ({
  type: "Sequence",
  decoders: [
    { type: "Replace", pattern: { String: "\u2581" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...(space ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
  ],
})
const plainBytes = { fuse_unk: false, byte_fallback: false, ignore_merges: false }

const WORDS_OF_COMPOSED_TEXT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const mark = (scheme: string, split: boolean): Json => ({
  type: "Metaspace",
  replacement: "\u2581",
  prepend_scheme: scheme,
  split,
})
const markedWords = (charsmap: unknown, scheme: string, unkId: number) => ({
  normalizer: charsmap === undefined ? null : { type: "Precompiled", precompiled_charsmap: charsmap },
  pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, mark(scheme, true)] },
  model: { unk_id: unkId, byte_fallback: false },
})

/** Parts of a class by tokenizer_config.json; undefined where tokenizer.json is taken as it is. */
export const rebuilt = (parts: Parts, settings: Json, file: Json, unk: string | undefined): Rebuilt | undefined => {
  const space = settings.add_prefix_space
  switch (parts) {
    case "lowercased words":
      return {
        normalizer: {
          type: "BertNormalizer",
          clean_text: true,
          handle_chinese_chars: settings.tokenize_chinese_chars ?? true,
          strip_accents: settings.strip_accents ?? null,
          lowercase: settings.do_lower_case ?? true,
        },
        pre_tokenizer: { type: "BertPreTokenizer" },
        model: { unk_token: unk, continuing_subword_prefix: "##", max_input_chars_per_word: 100 },
        decoder: { type: "WordPiece", prefix: "##", cleanup: true },
        around: ["cls", "sep"],
      }
    case "bytes":
      return { normalizer: null, pre_tokenizer: bytes(space === true), model: plainBytes, decoder: decodesBytes }
    case "bytes between ends":
      return {
        normalizer: null,
        pre_tokenizer: bytes(space === true),
        model: plainBytes,
        decoder: decodesBytes,
        around: ["cls", "sep"],
      }
    case "bytes of composed text": {
      const split = { type: "Split", pattern: { Regex: WORDS_OF_COMPOSED_TEXT }, behavior: "Isolated", invert: false }
      const pretokenizers = [split, bytes(space === true, false)]
      return {
        normalizer: { type: "NFC" },
        pre_tokenizer: { type: "Sequence", pretokenizers },
        model: plainBytes,
        decoder: decodesBytes,
      }
    }
    case "marked text": {
      const scheme = space === false ? "never" : settings.legacy === true ? "always" : "first"
      return {
        normalizer: null,
        pre_tokenizer: mark(scheme, false),
        model: { fuse_unk: true, byte_fallback: true },
        decoder: decodesText(space !== false),
      }
    }
    case "replaced spaces": {
      const pattern = { String: " " }
      return {
        normalizer: { type: "Replace", pattern, content: "\u2581" },
        pre_tokenizer: { type: "Split", pattern, behavior: "MergedWithPrevious", invert: false },
        model: { unk_token: unk, fuse_unk: true, byte_fallback: true },
        decoder: decodesText(false),
      }
    }
    case "marked words":
      return {
        ...markedWords(charsmapOf(file.normalizer), "always", 2),
        decoder: decodesMarks("always"),
        around: ["", "eos"],
      }
    case "marked words between ends":
      return {
        ...markedWords(charsmapOf(file.normalizer), space === false ? "never" : "always", 3),
        decoder: decodesMarks(space === false ? "never" : "always"),
        around: ["bos", "eos"],
      }
    default:
      return undefined
  }
}

const charsmapOf = (normalizer: unknown): unknown => {
  const { type, normalizers, precompiled_charsmap } = (normalizer ?? {}) as Json
  if (type !== "Sequence") return precompiled_charsmap
  return (normalizers as ReadonlyArray<Json>).find((part) => part.type === "Precompiled")?.precompiled_charsmap
}

/** A decoder in one spelling: how bytes were cut is of no account. */
export const decoderSpelling = (part: unknown): string =>
  (part as Json | null | undefined)?.type === "ByteLevel" ? "ByteLevel" : spelling(part)

/** A part of a tokenizer.json in one spelling, so that those that do the same are equal texts. */
export const spelling = (part: unknown): string => JSON.stringify(plain(part))

const plain = (part: unknown): unknown => {
  const { type, ...fields } = (part ?? {}) as Json
  switch (type) {
    case undefined:
      return null
    case "Sequence": {
      const inner = ((fields.normalizers ?? fields.pretokenizers ?? fields.decoders) as ReadonlyArray<unknown>).map(
        plain,
      )
        .flatMap((one) => Array.isArray(one) ? one : one === null ? [] : [one])
      return inner.length === 0 ? null : inner.length === 1 ? inner[0] : inner
    }
    case "ByteLevel":
      return { type, space: fields.add_prefix_space ?? null, regex: fields.use_regex ?? true }
    case "Metaspace": {
      const scheme = fields.prepend_scheme ?? (fields.add_prefix_space === false ? "never" : "always")
      return { type, mark: fields.replacement, scheme, split: fields.split ?? true }
    }
    case "Prepend":
      return { type, prepend: fields.prepend }
    case "Split":
      return { type, pattern: fields.pattern, behavior: fields.behavior, invert: fields.invert }
    case "Replace":
      return { type, pattern: fields.pattern, content: fields.content }
    case "BertNormalizer": {
      const { clean_text, handle_chinese_chars, strip_accents, lowercase } = fields
      return { type, clean_text, handle_chinese_chars, strip: strip_accents ?? lowercase, lowercase }
    }
    case "Precompiled":
      return { type, table: fields.precompiled_charsmap }
    default:
      return { type, ...fields }
  }
}
