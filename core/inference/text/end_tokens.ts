import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { pathExists } from "../../formats/files/path_exists.ts"
import { readJson } from "../../formats/json/json_file.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"

/** Ids of tokens that end a text: the tokenizer's, and those of the model's `generation_config.json` that it can write. */
export function endTokens(
  { companions, directory, network }: Model,
  { eosId }: Tokenizer,
): Effect.Effect<ReadonlyArray<number>, ModelError, FileSystem.FileSystem> {
  const folder = companions ?? directory
  const read = folder === "" ? Effect.succeed([]) : configured(folder)
  return Effect.map(
    read,
    (ids) => [...ids.filter((id) => id < network.vocabSize), ...(eosId === undefined ? [] : [eosId])],
  )
}

const FILE = "generation_config.json"

/** What a GGUF file holds in the place of that file; nothing where its tokenizer is not known, for another was given. */
function inGguf(path: string): Effect.Effect<unknown, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { readGguf } = yield* Effect.promise(() => import("../../data/tokenizer_files/gguf/read_gguf.ts"))
    return (yield* readGguf(path))[FILE] ?? {}
  }).pipe(Effect.orElseSucceed(() => ({})))
}

/** Those of a directory, or of a GGUF file; none where it has no such file. */
function configured(
  directory: string,
): Effect.Effect<ReadonlyArray<number>, ModelError, FileSystem.FileSystem> {
  const path = `${directory}/${FILE}`
  const failed = (message: string) => new ModelError({ reason: "Unsupported", message })
  return Effect.flatMap(pathExists(path), (is) => is ? readJson(path) : inGguf(directory)).pipe(
    Effect.mapError(({ message }) => failed(message)),
    Effect.flatMap((config) => {
      const { eos_token_id: given = [] } = (config ?? {}) as { readonly eos_token_id?: unknown }
      const ids: ReadonlyArray<unknown> = [given ?? []].flat()
      const isId = (id: unknown): id is number => Number.isSafeInteger(id)
      if (ids.every(isId)) return Effect.succeed<ReadonlyArray<number>>(ids)
      return Effect.fail(
        failed(`${path}: eos_token_id must be a token id or a list of them, got ${JSON.stringify(given)}`),
      )
    }),
  )
}
