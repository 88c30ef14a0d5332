import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../core/contracts/attempt.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import type { DataError } from "../../../core/data/data_error.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import type { Model } from "../../../core/inference/mod.ts"
import { TOKENIZER, tokenizerOf } from "../../../core/inference/tokenizer_option.ts"
import { checkOptions, field, type OptionTable, withDefaults } from "../../../core/options/mod.ts"
import { embed } from "../../../core/training/embed.ts"
import { predict } from "../../../core/training/evaluate.ts"
import { slotsOf } from "../adapters/slots_of.ts"
import { makePlaces } from "../requests/places.ts"
import { type TextLimit, textLimit } from "../requests/text_limit.ts"
import type { Reads, Served } from "../served.ts"
import { NAME_OPTIONS, type NameOptions } from "../writer/name_options.ts"

/** Options of {@link embedder} and {@link classifier}. */
export interface ReaderOptions extends NameOptions {
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
  /** Tokens to which texts are cut, such as those of the training. Default: the model's positions. */
  readonly maxLength?: number
}

/** {@link ReaderOptions} as a table. */
export const READER_OPTIONS: OptionTable<ReaderOptions, "tokenizer" | "maxLength"> = {
  ...NAME_OPTIONS,
  tokenizer: TOKENIZER,
  maxLength: field.integer({ minimum: 1, absent: "the model's positions", doc: "Tokens to which texts are cut" }),
}

/** What a model makes of texts, each through the adapter of a name. */
type Use<A> = (
  texts: ReadonlyArray<string>,
  options: Pick<ReaderOptions, "maxLength"> & {
    readonly tokenizer: Tokenizer
    readonly adapters?: ReadonlyArray<string>
  },
) => Effect.Effect<ReadonlyArray<A>, unknown, FileSystem.FileSystem>

/** A model that is served for one function of texts. */
function reader<A>(
  model: Model,
  options: ReaderOptions,
  use: Use<A>,
  ability: (reads: Reads<A>) => Partial<Served>,
): Effect.Effect<Served, PluginError | DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    yield* attempt(() => checkOptions("server", READER_OPTIONS, options), PluginError)
    const { name, queue, maxLength, ...given } = withDefaults(READER_OPTIONS, options)
    const { maxPositions } = model.network
    if ((maxLength ?? 0) > maxPositions) {
      const message = `maxLength is ${maxLength}, but the model has ${maxPositions} positions`
      return yield* new PluginError({ plugin: "server", message })
    }
    const tokenizer = yield* tokenizerOf(model, given.tokenizer)
    const fs = yield* FileSystem.FileSystem
    const adapters = model.bank === undefined ? {} : { adapters: yield* slotsOf(model.bank) }
    // What is cut may be of any length.
    const limit: TextLimit = maxLength === undefined ? textLimit(tokenizer, maxPositions) : () => Effect.void
    const own = { tokenizer, ...maxLength === undefined ? {} : { maxLength } }
    const tokensOf = (text: string) => Math.min(tokenizer.encode(text).length, maxLength ?? Infinity)
    const reads: Reads<A> = (texts, adapter = "") =>
      Effect.forEach(texts, (text) => limit(text, "input"), { discard: true }).pipe(
        Effect.andThen(
          use(texts, { ...own, ...model.bank === undefined ? {} : { adapters: texts.map(() => adapter) } }),
        ),
        Effect.map((results) => ({ results, tokens: texts.reduce((sum, text) => sum + tokensOf(text), 0) })),
        Effect.provideService(FileSystem.FileSystem, fs),
      )
    return { id: name, places: makePlaces(1, queue), ...adapters, ...ability(reads) }
  })
}

/** A model that gives embeddings of texts, as `Trainer.embed` does; with a bank (`Model.withAdapters`) through adapters, too. */
export const embedder = (
  model: Model,
  options: ReaderOptions,
): Effect.Effect<Served, PluginError | DataError, FileSystem.FileSystem> =>
  reader(model, options, (texts, own) => embed(model, texts, own), (embeds) => ({ embeds }))

/**
 * A classifier of texts, as `Trainer.predict` asks it. Of a model with a bank (`Model.withAdapters`) the field `model` of a
 * request may name an adapter, with a head of its own.
 */
export const classifier = (
  model: Model,
  options: ReaderOptions,
): Effect.Effect<Served, PluginError | DataError, FileSystem.FileSystem> =>
  reader(model, options, (texts, own) => predict(model, texts, own), (classifies) => ({ classifies }))
