import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import { attempt } from "../../../core/contracts/attempt.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { HIDDEN, hideSpecial, specialTexts } from "../../../core/data/special_texts.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { engine, type Model } from "../../../core/inference/mod.ts"
import { answer, type AnswerOptions, endTokens, scoreTokens } from "../../../core/inference/text/mod.ts"
import { TOKENIZER, tokenizerOf } from "../../../core/inference/tokenizer_option.ts"
import type { ModelError } from "../../../core/model/model_error.ts"
import { checkOptions, field, type OptionTable, withDefaults } from "../../../core/options/mod.ts"
import * as Chat from "../../chat/mod.ts"
import { slotsOf } from "../adapters/slots_of.ts"
import { makePlaces } from "../requests/places.ts"
import { textLimit } from "../requests/text_limit.ts"
import type { AnswerOptions as Asked, Served } from "../served.ts"
import { makeGrammars } from "./grammars.ts"
import { NAME_OPTIONS, type NameOptions } from "./name_options.ts"
import { pieceOf, scored } from "./pieces.ts"

/** Options of {@link writer}. */
export interface WriterOptions extends NameOptions {
  /** Most answers that are written at once; up to 16 an answer does not depend on those beside it. Default 16. */
  readonly rows?: number
  /**
   * Positions that each of these answers has room for from the first request on, at most the model's: so that longer ones do
   * not have all programs compiled anew. They take memory. Default 0: as answers need them.
   */
  readonly positions?: number
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
  /** Default: that of the model's files; without one there are no chats. */
  readonly template?: Chat.ChatTemplate
}

/** {@link WriterOptions} as a table. */
export const WRITER_OPTIONS: OptionTable<WriterOptions, "tokenizer" | "template"> = {
  ...NAME_OPTIONS,
  rows: field.integer({ minimum: 1, default: 16, doc: "Answers that are written at once" }),
  positions: field.integer({ minimum: 0, default: 0, doc: "Positions that each answer has room for from the start" }),
  tokenizer: TOKENIZER,
  template: { type: "object" },
}

/**
 * A causal language model that answers chats and continues texts, freed with the scope. Of a model with a bank
 * (`Model.withAdapters`) the field `model` of a request may name an adapter.
 */
export function writer(
  model: Model,
  options: WriterOptions,
): Effect.Effect<Served, ModelError | PluginError | DataError | BackendError, Scope.Scope | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    yield* attempt(() => checkOptions("server", WRITER_OPTIONS, options), PluginError)
    const { name, rows, positions, queue, ...given } = withDefaults(WRITER_OPTIONS, options)
    const files = model.companions ?? model.directory
    const tokenizer = yield* tokenizerOf(model, given.tokenizer)
    const template = given.template ?? (files === "" ? undefined : yield* Chat.find(files))
    const ends = [
      ...yield* endTokens(model, tokenizer),
      ...template === undefined ? [] : Chat.endOf(template, tokenizer),
    ]
    const grammars = makeGrammars(tokenizer, ends)
    const own = yield* engine(model, { rows, positions })
    const adapters = model.bank === undefined ? {} : { adapters: yield* slotsOf(model.bank) }
    const limit = textLimit(tokenizer, model.network.maxPositions)
    const read = (text: string, param: string, options?: Parameters<Tokenizer["encode"]>[1]) =>
      Effect.andThen(limit(text, param), attempt(() => tokenizer.encode(text, options), DataError))
    const hide = hideSpecial(specialTexts(tokenizer))
    return {
      id: name,
      places: makePlaces(rows, queue),
      ...adapters,
      writes: {
        maxPositions: model.network.maxPositions,
        vocabSize: model.network.vocabSize,
        encode: (text) => read(text, "prompt"),
        decode: tokenizer.decode,
        // A template writes the special tokens itself, and it alone.
        chat: (messages, variables) =>
          template === undefined
            ? Effect.fail(new DataError({ reason: "Template", message: `${name} has no chat template` }))
            : Effect.flatMap(
              Chat.promptOf(template, hide(messages), { variables: hide(variables) }),
              (text) => read(text, "messages", { addSpecialTokens: false, hidden: HIDDEN }),
            ),
        answer: (prompt, asked) =>
          Effect.map(asked.schema === undefined ? Effect.undefined : grammars(asked.schema), (grammar) =>
            Stream.map(
              answer(own, tokenizer, prompt, {
                ...rowOf(asked, ends),
                ...grammar && { constraint: grammar.constraint() },
              }),
              (part) => pieceOf(part, tokenizer, [...ends, ...asked.stopTokens]),
            )),
        score: (prompts, { alternatives: count, adapter }) =>
          scoreTokens(model, prompts, {
            ...count > 0 ? { topLogProbabilities: count } : {},
            ...adapter === undefined ? {} : { adapters: prompts.map(() => adapter) },
          }).pipe(Effect.map((all) => all.map((tokens) => tokens.map((token) => scored(token, tokenizer))))),
      },
    }
  })
}

/** Options of the engine's row. */
function rowOf(asked: Asked, ends: ReadonlyArray<number>): AnswerOptions {
  const { maxTokens, stop, stopTokens, logProbabilities: count, adapter, schema: _, ...sampling } = asked
  return {
    ...sampling,
    maxNewTokens: maxTokens,
    stop: [...ends, ...stopTokens],
    stopStrings: stop,
    ...adapter === undefined ? {} : { adapter },
    ...count === undefined ? {} : { logProbabilities: true },
    ...count ? { topLogProbabilities: count } : {},
  }
}
