import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../core/contracts/attempt.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import type { DataError } from "../../../core/data/data_error.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import type { Model } from "../../../core/inference/mod.ts"
import { TOKENIZER, tokenizerOf } from "../../../core/inference/tokenizer_option.ts"
import { checkOptions, type OptionTable, withDefaults } from "../../../core/options/mod.ts"
import { embed } from "../../../core/training/embed.ts"
import { predict } from "../../../core/training/evaluate.ts"
import { makePlaces } from "../requests/places.ts"
import type { Reads, Served } from "../served.ts"
import { NAME_OPTIONS, type NameOptions } from "../writer/name_options.ts"

/** Options of {@link embedder} and {@link classifier}. */
export interface ReaderOptions extends NameOptions {
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
}

/** {@link ReaderOptions} as a table. */
export const READER_OPTIONS: OptionTable<ReaderOptions, "tokenizer"> = { ...NAME_OPTIONS, tokenizer: TOKENIZER }

/** A model whose texts go through one function. */
function reader<A>(
  model: Model,
  options: ReaderOptions,
  use: (
    texts: ReadonlyArray<string>,
    tokenizer: Tokenizer,
  ) => Effect.Effect<ReadonlyArray<A>, unknown, FileSystem.FileSystem>,
  ability: (reads: Reads<A>) => Partial<Served>,
): Effect.Effect<Served, PluginError | DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    yield* attempt(() => checkOptions("server", READER_OPTIONS, options), PluginError)
    const { name, queue, ...given } = withDefaults(READER_OPTIONS, options)
    const tokenizer = yield* tokenizerOf(model, given.tokenizer)
    const fs = yield* FileSystem.FileSystem
    const reads: Reads<A> = (texts) =>
      Effect.map(use(texts, tokenizer), (results) => ({
        results,
        tokens: texts.reduce((sum, text) => sum + tokenizer.encode(text).length, 0),
      })).pipe(Effect.provideService(FileSystem.FileSystem, fs))
    return { id: name, places: makePlaces(1, queue), ...ability(reads) }
  })
}

/** A model that gives embeddings of texts, as `Trainer.embed` does. */
export const embedder = (
  model: Model,
  options: ReaderOptions,
): Effect.Effect<Served, PluginError | DataError, FileSystem.FileSystem> =>
  reader(model, options, (texts, tokenizer) => embed(model, texts, { tokenizer }), (embeds) => ({ embeds }))

/** A classifier of texts, as `Trainer.predict` asks it. */
export const classifier = (
  model: Model,
  options: ReaderOptions,
): Effect.Effect<Served, PluginError | DataError, FileSystem.FileSystem> =>
  reader(model, options, (texts, tokenizer) => predict(model, texts, { tokenizer }), (classifies) => ({ classifies }))
