import type { GgufMetadata } from "../../../formats/gguf/gguf_types.ts"
import { plainMetadata } from "../../../formats/gguf/plain_metadata.ts"
import { Fields, tokenizerError } from "../../tokenizer/fields.ts"

/** Names of special tokens, and what GGUF calls them. */
const NAMED = {
  bos: "bos",
  eos: "eos",
  unk: "unknown",
  sep: "seperator",
  pad: "padding",
  cls: "cls",
  mask: "mask",
} as const

/** Types of tokens, by their number in a file. */
const CONTROL = 3, USER_DEFINED = 4

/** The tokens of a file. */
export interface Vocabulary {
  /** The metadata. */
  readonly fields: Fields
  /** By id. */
  readonly tokens: ReadonlyArray<string>
  /** Special tokens by name. */
  readonly named: ReadonlyMap<string, string>
  /** Tokens that are found in a text before it is cut. */
  readonly added: ReadonlyArray<{ readonly id: number; readonly content: string; readonly special: boolean }>
}

/** Reads the tokens of a file. Throws DataError. */
export function readVocabulary(metadata: GgufMetadata, file: string): Vocabulary {
  const fields = new Fields(plainMetadata(metadata), file, [])
  const tokens = fields.list("tokenizer.ggml.tokens") as ReadonlyArray<string>
  const types = fields.optional("tokenizer.ggml.token_type", fields.list) ?? []
  if (types.length > 0 && types.length !== tokens.length) {
    throw tokenizerError(`${file}: ${tokens.length} tokens have ${types.length} types`)
  }
  const named = new Map<string, string>()
  for (const [name, key] of Object.entries(NAMED)) {
    const id = idIn(fields, key, tokens)
    if (id !== undefined) named.set(name, tokens[id])
  }
  const added = tokens.flatMap((content, id) =>
    content !== "" && (types[id] === CONTROL || types[id] === USER_DEFINED)
      ? [{ id, content, special: types[id] === CONTROL }]
      : []
  )
  return { fields, tokens, named, added }
}

/** The id of a special token; undefined where the file names none. */
export function idIn(fields: Fields, name: string, tokens: ReadonlyArray<string>): number | undefined {
  const key = `tokenizer.ggml.${name}_token_id`
  const id = fields.optional(key, fields.count)
  if (id === undefined || id < tokens.length) return id
  throw fields.error(key, `is ${id}, there are ${tokens.length} tokens`)
}
