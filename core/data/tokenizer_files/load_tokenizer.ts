/**
 * Tokenizers: from `tokenizer.json` as Hugging Face writes it, or from a GGUF file.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { modelTokenizers } from "../../weights/registered_tokenizers.ts"
import { attempt, type DataError } from "../data_error.ts"
import type { Tokenizer } from "../tokenizer/tokenizer.ts"
import type { FilesBeside } from "./files.ts"

export type { FilesBeside, Tokenizer }

/**
 * Loads a tokenizer from a model's directory: `tokenizer.json`, and what transformers reads beside it where it is there:
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, and the model type of `config.json`. Or from a
 * GGUF file, or a directory with one and no tokenizer.json.
 *
 * Fails with a {@link DataError}: `NotFound` without a tokenizer.json, `Tokenizer` when a file is not what it should be.
 */
export const loadTokenizer = (directory: string): Effect.Effect<Tokenizer, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { readFiles } = yield* Effect.promise(() => import("./files.ts"))
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
    const { tokenizerOf } = yield* Effect.promise(() => import("../tokenizer/tokenizer_of.ts"))
    const known = { modelTokenizers: yield* modelTokenizers, ...beside }
    return yield* attempt(() => tokenizerOf(model, config, source, known))
  })
