import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { DataError } from "../data/data_error.ts"
import { loadTokenizer, type Tokenizer } from "../data/tokenizer/tokenizer.ts"
import type { Model } from "../model/model.ts"

/** The tokenizer that is given, or the one beside the model. */
export const tokenizerOf = (
  { companions, directory }: Model,
  given: Tokenizer | undefined,
): Effect.Effect<Tokenizer, DataError, FileSystem.FileSystem> =>
  given === undefined ? loadTokenizer(companions ?? directory) : Effect.succeed(given)
