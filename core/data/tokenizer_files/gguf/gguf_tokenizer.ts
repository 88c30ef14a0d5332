/**
 * The tokenizer of a GGUF file as the files of a directory that stand for it: the same pipeline runs both.
 * @module
 */
import type { GgufMetadata } from "../../../formats/gguf/gguf_types.ts"
import { quoted } from "../../data_error.ts"
import { tokenizerError } from "../../tokenizer/fields.ts"
import { byteLevel } from "./byte_level.ts"
import { sentencePieces } from "./sentence_pieces.ts"
import { idIn, readVocabulary, type Vocabulary } from "./vocabulary.ts"
import type { GgufTokenizers } from "../../../weights/gguf/gguf_names.ts"

type Json = Readonly<Record<string, unknown>>

const PARTS = { bytes: byteLevel, pieces: sentencePieces } as const

/** Tokens that end a turn, beside the one that ends a text. */
const ENDS = ["eos", "eot", "eom"]

/**
 * Contents of `tokenizer.json`, `tokenizer_config.json` and `generation_config.json` by name. Throws DataError.
 *
 * @param known What the families at hand call tokenizers.
 */
export function tokenizerFiles(
  metadata: GgufMetadata,
  file: string,
  known: GgufTokenizers,
): Readonly<Record<string, Json>> {
  const vocabulary = readVocabulary(metadata, file)
  const { fields, tokens, named, added } = vocabulary
  const kind = fields.string("tokenizer.ggml.model")
  if (!Object.hasOwn(known.kinds, kind)) {
    const kinds = Object.keys(known.kinds)
    throw tokenizerError(
      `${file}: its tokenizer is of kind "${kind}" (tokenizer.ggml.model), which is not known here; ` +
        (kinds.length === 0 ? "provide the layer of the model's family" : `known: ${quoted(kinds)}`),
    )
  }
  const { addsBos, ...parts } = PARTS[known.kinds[kind]](vocabulary, known)
  const adds = {
    bos: fields.boolean("tokenizer.ggml.add_bos_token", addsBos),
    eos: fields.boolean("tokenizer.ggml.add_eos_token", false),
  }
  const chat = fields.optional("tokenizer.chat_template", fields.string)
  const ends = ENDS.flatMap((name) => idIn(fields, name, tokens) ?? [])
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added.map((token) => (
        { ...token, single_word: false, lstrip: false, rstrip: false, normalized: false }
      )),
      ...parts,
      post_processor: around(vocabulary, adds),
    },
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      ...Object.fromEntries([...named].map(([name, token]) => [`${name}_token`, token])),
      add_bos_token: adds.bos,
      add_eos_token: adds.eos,
      clean_up_tokenization_spaces: false,
      ...(chat === undefined ? {} : { chat_template: chat }),
    },
    ...(ends.length === 0 ? {} : { "generation_config.json": { eos_token_id: [...new Set(ends)] } }),
  }
}

/** Puts bos and eos around a text, as far as they are added. */
function around({ fields, tokens }: Vocabulary, adds: Readonly<Record<"bos" | "eos", boolean>>): Json | null {
  const special: Record<string, Json> = {}
  const pieces = (["bos", "eos"] as const).map((name) => {
    if (!adds[name]) return []
    const id = idIn(fields, name, tokens)
    if (id === undefined) throw fields.error(`tokenizer.ggml.${name}_token_id`, "is missing, and is added to each text")
    special[tokens[id]] = { id: tokens[id], ids: [id], tokens: [tokens[id]] }
    return [{ SpecialToken: { id: tokens[id], type_id: 0 } }]
  })
  if (Object.keys(special).length === 0) return null
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } })
  const [before, after] = pieces
  return {
    type: "TemplateProcessing",
    single: [...before, text("A"), ...after],
    pair: [...before, text("A"), ...after, ...before, text("B"), ...after],
    special_tokens: special,
  }
}
