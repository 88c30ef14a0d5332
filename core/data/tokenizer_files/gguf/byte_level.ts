import type { Vocabulary } from "./vocabulary.ts"
import { quoted } from "../../data_error.ts"
import { tokenizerError } from "../../tokenizer/fields.ts"
import type { GgufTokenizers } from "../../../weights/gguf/gguf_names.ts"

type Json = Readonly<Record<string, unknown>>

/** Bytes as the letters of a vocabulary. */
const decoder: Json = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }

/** Parts of a tokenizer.json for byte-pair encoding of bytes. */
export function byteLevel(
  { tokens, fields }: Vocabulary,
  { cuts }: GgufTokenizers,
): Json & { readonly addsBos: boolean } {
  const pre = fields.optional("tokenizer.ggml.pre", fields.string)
  if (pre === undefined || !Object.hasOwn(cuts, pre)) {
    const what = pre === undefined ? "does not say how texts are cut" : `cuts texts by "${pre}"`
    throw tokenizerError(
      `${fields.where}: its tokenizer ${what} (tokenizer.ggml.pre), which is not known here; known: ` +
        `${quoted(Object.keys(cuts))}: put the model's tokenizer.json beside the file, and give the directory`,
    )
  }
  const { normalizer = null, parts, wholeWords = false, addsBos = false } = cuts[pre]
  return {
    addsBos,
    normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: parts },
    decoder,
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
export function preOf({ normalizer, pre_tokenizer, model }: Json, { cuts }: GgufTokenizers): string | undefined {
  const steps = (value: unknown) => {
    const { type, pretokenizers } = (value ?? {}) as {
      readonly type?: string
      readonly pretokenizers?: ReadonlyArray<Json>
    }
    return JSON.stringify((type === "Sequence" ? pretokenizers! : [value as Json]).map(plainStep))
  }
  const ignoresMerges = (model as Json).ignore_merges === true
  const found = Object.entries(cuts).find(([, { normalizer: own = null, parts, wholeWords = false }]) =>
    JSON.stringify(normalizer ?? null) === JSON.stringify(own) && wholeWords === ignoresMerges &&
    JSON.stringify(parts.map(plainStep)) === steps(pre_tokenizer)
  )
  return found?.[0]
}

/** A step without what changes no token, its fields in order. */
const plainStep = ({ trim_offsets: _, ...step }: Json): unknown =>
  Object.entries(step).sort(([a], [b]) => a < b ? -1 : 1)
