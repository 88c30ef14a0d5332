/**
 * The option `tokenizer`, and what it stands for where it is not given.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { DataError } from "../data/data_error.ts"
import { loadTokenizer } from "../data/tokenizer_files/load_tokenizer.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import type { Model } from "../model/model.ts"
import { mustBe } from "../options/check.ts"
import type { Field } from "../options/field.ts"
import * as field from "../options/fields.ts"

const isTokenizer = (value: unknown): boolean => {
  const { encode, decode, vocabSize } = (value ?? {}) as Partial<Tokenizer>
  return typeof encode === "function" && typeof decode === "function" && typeof vocabSize === "number"
}

/** The option as a field: no file can hold one. */
export const TOKENIZER: Field<Tokenizer> = field.opaque<Tokenizer>()({
  faults: (value, at) =>
    isTokenizer(value) ? [] : [mustBe(at, "a tokenizer, such as Tokenizer.loadTokenizer gives", value)],
})

/** The tokenizer that is given, or the one beside the model. */
export const tokenizerOf = (
  { companions, directory }: Model,
  given: Tokenizer | undefined,
): Effect.Effect<Tokenizer, DataError, FileSystem.FileSystem> =>
  given === undefined ? loadTokenizer(companions ?? directory) : Effect.succeed(given)
