import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { ggufAt, openGguf } from "../../../formats/gguf/gguf_file.ts"
import { attempt, DataError } from "../../data_error.ts"
import { registeredTokenizers } from "../../../weights/gguf/gguf_tokenizers.ts"
import { tokenizerFiles } from "./gguf_tokenizer.ts"

/**
 * What the GGUF file at a path holds in place of a tokenizer's files, by their names: a file, or a directory that holds one.
 * None where there is no such file. What its tokenizer is called is known by the families whose layers are provided.
 */
export function readGguf(
  path: string,
): Effect.Effect<Readonly<Record<string, unknown>>, DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const file = yield* ggufAt(path)
    if (file === undefined) return {}
    const { metadata } = yield* openGguf(file)
    const known = yield* registeredTokenizers
    return yield* attempt(() => tokenizerFiles(metadata, file, known))
  }).pipe(
    Effect.mapError((cause) =>
      cause instanceof DataError ? cause : new DataError({ reason: "Tokenizer", message: cause.message, cause })
    ),
  )
}
