/**
 * Tokenizers: from `tokenizer.json` as Hugging Face writes it, or from a GGUF file.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, type DataError } from "../data_error.ts"
import type { FilesBeside } from "../tokenizer_files/files.ts"

export type { FilesBeside }

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
   * @throws DataError `Tokenizer` when the tokenizer has no token for a piece of the text, or it holds half of a character.
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
 * Loads a tokenizer from a model's directory: `tokenizer.json`, and what transformers reads beside it where it is there:
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, and the model type of `config.json`. Or from a
 * GGUF file, or a directory with one and no tokenizer.json.
 *
 * Fails with a {@link DataError}: `NotFound` without a tokenizer.json, `Tokenizer` when a file is not what it should be.
 */
export const loadTokenizer = (directory: string): Effect.Effect<Tokenizer, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { readFiles } = yield* Effect.promise(() => import("../tokenizer_files/files.ts"))
    const { model, config, ...beside } = yield* readFiles(directory)
    return yield* makeTokenizer(model, config, `${directory}/tokenizer.json`, beside)
  })

/**
 * A tokenizer from the contents of `tokenizer.json` and `tokenizer_config.json`, and of files beside them. Where transformers
 * 4 and 5 read them differently, tokenizer.json decides and {@link Tokenizer.notes} tell so.
 *
 * Fails with a {@link DataError} `Tokenizer` when they are not those of a tokenizer.
 */
export const makeTokenizer = (
  model: unknown,
  config: unknown = {},
  source = "tokenizer.json",
  beside: FilesBeside = {},
): Effect.Effect<Tokenizer, DataError> =>
  Effect.gen(function* () {
    const { tokenizerOf } = yield* Effect.promise(() => import("./tokenizer_of.ts"))
    return yield* attempt(() => tokenizerOf(model, config, source, beside))
  })
