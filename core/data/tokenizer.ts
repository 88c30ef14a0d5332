/**
 * Tokenizers: from `tokenizer.json` as Hugging Face writes it.
 * @module
 */
import { Tokenizer as TokenizerModel } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError } from "./data_error.ts"
import { decodeUtf8, readBytes } from "./read_bytes.ts"

/** Text to token ids and back. */
export interface Tokenizer {
  /** Number of ids: one more than the largest. */
  readonly vocabSize: number
  /** Id that fills up short rows, where the tokenizer names one. */
  readonly padId?: number
  /** Id that ends a text, where the tokenizer names one. */
  readonly eosId?: number
  /** Id that begins a text, where the tokenizer names one. */
  readonly bosId?: number
  /** Id that stands for a hidden token, where the tokenizer names one. */
  readonly maskId?: number
  /** What a person should know of how the files were read. Default: nothing. */
  readonly notes?: ReadonlyArray<string>
  /** Whether {@link Tokenizer.encode} puts special tokens around a text. */
  readonly addsSpecialTokens: boolean
  /**
   * Token ids of a text. Special tokens that the tokenizer puts around it are added by default.
   *
   * @throws DataError `Tokenizer` when the tokenizer has no token for a piece of the text.
   */
  readonly encode: (text: string, options?: { readonly addSpecialTokens?: boolean }) => Int32Array
  /** Text of token ids, special tokens included unless told otherwise. */
  readonly decode: (ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }) => string
  /** The token itself as the vocabulary spells it; undefined for an unknown id. */
  readonly token: (id: number) => string | undefined
  /** Id of a token as the vocabulary spells it; undefined for an unknown token. */
  readonly id: (token: string) => number | undefined
}

/**
 * Loads `tokenizer.json`, and `tokenizer_config.json` where there is one, from a model's directory.
 *
 * Fails with a {@link DataError}: `NotFound` without a tokenizer.json, `Tokenizer` when a file is not what it should be.
 */
export const loadTokenizer = (directory: string): Effect.Effect<Tokenizer, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const path = `${directory}/tokenizer.json`
    const model = yield* Effect.catchTag(
      readJson(path),
      "DataError",
      (error) =>
        error.reason === "NotFound"
          ? new DataError({
            reason: "NotFound",
            message: `${path}: no such file; a model's directory needs its tokenizer.json`,
            cause: error.cause,
          })
          : error,
    )
    const config = yield* Effect.catchTag(
      readJson(`${directory}/tokenizer_config.json`),
      "DataError",
      (error) => error.reason === "NotFound" ? Effect.succeed({}) : error,
    )
    return yield* attempt(() => makeTokenizer(model, config, path))
  })

const readJson = (path: string): Effect.Effect<unknown, DataError, FileSystem.FileSystem> =>
  Effect.flatMap(readBytes(path), (bytes) =>
    attempt((): unknown => {
      const text = decodeUtf8(path, bytes)
      try {
        return JSON.parse(text)
      } catch (cause) {
        const message = `${path} is not JSON: ${(cause as Error).message}`
        throw new DataError({ reason: "Tokenizer", message, cause })
      }
    }))

/**
 * A tokenizer from the contents of `tokenizer.json` and `tokenizer_config.json`.
 *
 * @throws DataError `Tokenizer` when they are not those of a tokenizer.
 */
export const makeTokenizer = (model: unknown, config: unknown = {}, source = "tokenizer.json"): Tokenizer => {
  let inner: TokenizerModel
  try {
    inner = new TokenizerModel(model as object, config as object)
  } catch (cause) {
    const message = `${source} does not hold a tokenizer that can be read: ${(cause as Error).message}`
    throw new DataError({ reason: "Tokenizer", message, cause })
  }
  const vocab = inner.get_vocab()
  let vocabSize = 0
  for (const id of vocab.values()) vocabSize = Math.max(vocabSize, id + 1)
  if (vocabSize === 0) throw new DataError({ reason: "Tokenizer", message: `${source} has an empty vocabulary` })
  const settings = config as Readonly<Record<string, unknown>>
  const special = (name: "pad" | "eos" | "bos" | "mask"): number | undefined => {
    const value = settings[`${name}_token`]
    const token = typeof value === "object" && value !== null
      ? (value as { readonly content?: unknown }).content
      : value
    if (typeof token !== "string") return undefined
    const id = inner.token_to_id(token)
    if (id !== undefined) return id
    const message = `${source}: the ${name} token ${JSON.stringify(token)} is not in the vocabulary`
    throw new DataError({ reason: "Tokenizer", message })
  }
  const cleanUp = settings.clean_up_tokenization_spaces === true
  const ids = { padId: special("pad"), eosId: special("eos"), bosId: special("bos"), maskId: special("mask") }
  const known = Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== undefined))
  return {
    vocabSize,
    addsSpecialTokens: inner.encode("").ids.length > 0,
    ...known as Pick<Tokenizer, "padId" | "eosId" | "bosId" | "maskId">,
    encode: (text, { addSpecialTokens = true } = {}) => {
      const { ids, tokens } = inner.encode(text, { add_special_tokens: addSpecialTokens })
      const unknown = (ids as ReadonlyArray<number | undefined>).findIndex((id) => id === undefined)
      if (unknown >= 0) {
        const message = `${source} has no id for ${JSON.stringify(tokens[unknown])} and no unknown token`
        throw new DataError({ reason: "Tokenizer", message })
      }
      return Int32Array.from(ids)
    },
    // The library refuses an empty list.
    decode: (ids, { skipSpecialTokens = false } = {}) =>
      ids.length === 0 ? "" : inner.decode(Array.from(ids), {
        skip_special_tokens: skipSpecialTokens,
        clean_up_tokenization_spaces: cleanUp,
      }),
    token: (id) => inner.id_to_token(id),
    id: (token) => inner.token_to_id(token),
  }
}
