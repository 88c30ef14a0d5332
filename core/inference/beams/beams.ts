/**
 * The likeliest texts that follow a prompt.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { DataError } from "../../data/data_error.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import {
  encoded,
  type GenerateError,
  type GenerateOptions,
  textAfter,
  textBefore,
  toGenerateError,
  wrongOptions,
} from "../generate.ts"
import type { Found } from "./beam_search.ts"

/** Options of {@link beams}. */
export interface BeamsOptions extends Omit<GenerateOptions, "plugins" | "numBeams"> {
  /** Number of texts that are gone on with at each step, from 1. */
  readonly numBeams: number
  /** How many texts are given, 1 to `numBeams`. Default: `numBeams`. */
  readonly numReturnSequences?: number
}

/**
 * Searches with beams as `generate` does, and gives several texts with their scores, best first: fewer than asked only where
 * the vocabulary has no more.
 */
export function beams(
  model: Model,
  prompt: string,
  options: BeamsOptions,
): Effect.Effect<ReadonlyArray<Found<string>>, GenerateError | DataError, FileSystem.FileSystem>
/** Token ids that follow token ids. */
export function beams(
  model: Model,
  prompt: Int32Array,
  options: BeamsOptions,
): Effect.Effect<ReadonlyArray<Found<Int32Array>>, GenerateError>
export function beams(
  model: Model,
  prompt: string | Int32Array,
  options: BeamsOptions,
): Effect.Effect<ReadonlyArray<Found<string | Int32Array>>, GenerateError | DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const wrong = wrongOptions(options) ?? wrongCount(options)
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    if (typeof prompt !== "string") return yield* found(model, prompt, options)
    const { tokenizer, ids: [ids], stop } = yield* encoded(model, [prompt], options)
    const texts = yield* found(model, ids, { ...options, stop })
    return texts.map(({ text, score }) => ({ text: textAfter(tokenizer, textBefore(model, ids), text), score }))
  })
}

function wrongCount({ numBeams = 1, numReturnSequences = numBeams }: BeamsOptions): string | undefined {
  if (numReturnSequences === numBeams) return
  if (Number.isSafeInteger(numReturnSequences) && numReturnSequences >= 1 && numReturnSequences <= numBeams) return
  return `numReturnSequences must be a whole number from 1 to numBeams, ${numBeams}, got ${numReturnSequences}`
}

function found(
  model: Model,
  prompt: Int32Array,
  { tokenizer: _, numReturnSequences, ...options }: BeamsOptions,
): Effect.Effect<ReadonlyArray<Found<Int32Array>>, GenerateError> {
  return Effect.tryPromise({
    try: async (signal) => {
      const { searched } = await import("./beam_searcher.ts")
      const [texts = []] = await searched(model, [prompt], options, signal)
      return texts.slice(0, numReturnSequences)
    },
    catch: toGenerateError,
  })
}
