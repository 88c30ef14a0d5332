import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { parseJson } from "../../formats/json/json_file.ts"
import { attempt, DataError } from "../data_error.ts"
import type { ModelTokenizers } from "../../weights/model_tokenizers.ts"
import { decodeUtf8, readBytes } from "../table/source.ts"
import { tokenizerError } from "../tokenizer/fields.ts"

/** What says something of a tokenizer beside tokenizer.json and tokenizer_config.json: contents of files, and families. */
export interface FilesBeside {
  /** Contents of `special_tokens_map.json`. */
  readonly specialTokensMap?: unknown
  /** Contents of `added_tokens.json`. */
  readonly addedTokens?: unknown
  /** Contents of `config.json`: its model type stands for a tokenizer's class where no file names one. */
  readonly modelConfig?: unknown
  /** What model types say of tokenizers. Default: what the families say whose layers are provided. */
  readonly modelTokenizers?: ModelTokenizers
}

/** A tokenizer's files. */
export interface TokenizerFiles extends FilesBeside {
  readonly model: unknown
  readonly config: unknown
}

/** Reads a tokenizer's files from a model's directory; without a tokenizer.json, from the GGUF file that is there. */
export const readFiles = (directory: string): Effect.Effect<TokenizerFiles, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const optional = (name: string) =>
      Effect.catchTag(
        readOne(`${directory}/${name}`),
        "DataError",
        (error) => error.reason === "NotFound" ? Effect.succeed(undefined) : error,
      )
    const model = yield* optional("tokenizer.json")
    if (model === undefined) return yield* inGguf(directory)
    return {
      model,
      config: (yield* optional("tokenizer_config.json")) ?? {},
      specialTokensMap: yield* optional("special_tokens_map.json"),
      addedTokens: yield* optional("added_tokens.json"),
      modelConfig: yield* optional("config.json"),
    }
  })

/** What a GGUF file holds in their place. */
const inGguf = (path: string): Effect.Effect<TokenizerFiles, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { readGguf } = yield* Effect.promise(() => import("./gguf/read_gguf.ts"))
    const { "tokenizer.json": model, "tokenizer_config.json": config } = yield* readGguf(path)
    if (model !== undefined) return { model, config }
    const message = `${path}/tokenizer.json: no such file; a model's directory needs its tokenizer.json`
    return yield* new DataError({ reason: "NotFound", message })
  })

const readOne = (path: string): Effect.Effect<unknown, DataError, FileSystem.FileSystem> =>
  Effect.flatMap(readBytes(path), (bytes) =>
    attempt((): unknown => {
      const text = decodeUtf8(path, bytes)
      try {
        return parseJson(text, path)
      } catch (cause) {
        throw tokenizerError((cause as Error).message, cause)
      }
    }))
