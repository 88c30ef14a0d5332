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
import type { CallSpelling } from "../calls/call_spelling.ts"
import { spellingOf } from "../calls/spellings.ts"
import { type ApiError, badField } from "../requests/api_error.ts"
import { makePlaces } from "../requests/places.ts"
import { textLimit } from "../requests/text_limit.ts"
import type { AnswerOptions as Asked, ChatRest, Served } from "../served.ts"
import { makeGrammars } from "./grammars.ts"
import { NAME_OPTIONS, type NameOptions } from "./name_options.ts"
import { pieceOf, scored } from "./pieces.ts"
import { showing } from "./showing.ts"

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
  /** How the model writes calls of tools. Default: as its template does, where that is known; else tools are refused. */
  readonly calls?: CallSpelling
}

/** {@link WriterOptions} as a table. */
export const WRITER_OPTIONS: OptionTable<WriterOptions, "tokenizer" | "template" | "calls"> = {
  ...NAME_OPTIONS,
  rows: field.integer({ minimum: 1, default: 16, doc: "Answers that are written at once" }),
  positions: field.integer({ minimum: 0, default: 0, doc: "Positions that each answer has room for from the start" }),
  tokenizer: TOKENIZER,
  template: { type: "object" },
  calls: { type: "object" },
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
    const calls = given.calls ?? (template === undefined ? undefined : spellingOf(template.toolsSource))
    return {
      id: name,
      places: makePlaces(rows, queue),
      ...adapters,
      writes: {
        maxPositions: model.network.maxPositions,
        vocabSize: model.network.vocabSize,
        encode: (text) => read(text, "prompt"),
        decode: tokenizer.decode,
        ...calls && { calls },
        // A template writes the special tokens itself, and it alone.
        chat: (messages, { begin = "", ...rest } = {}) =>
          template === undefined
            ? Effect.fail(new DataError({ reason: "Template", message: `${name} has no chat template` }))
            : Effect.flatMap(
              promptWith(template, hide(messages), hide(rest)),
              (text) => read(text + begin, "messages", { addSpecialTokens: false, hidden: HIDDEN }),
            ),
        answer: (prompt, asked) =>
          Effect.map(asked.form === undefined ? Effect.undefined : grammars(asked.form), (grammar) =>
            Stream.map(
              answer(own, showing(tokenizer, asked.shown ?? []), prompt, {
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

/** A chat as a prompt. Fails where its tools are not in it. */
function promptWith(
  template: Chat.ChatTemplate,
  messages: ReadonlyArray<Chat.Message>,
  { tools, variables }: Omit<ChatRest, "begin">,
): Effect.Effect<string, DataError | ApiError> {
  // Clients are not told where the server's files lie.
  const prompt = (rest: Omit<ChatRest, "begin">) =>
    Effect.mapError(
      Chat.promptOf(template, messages, rest),
      ({ reason, message, cause }) =>
        new DataError({ reason, message: message.replaceAll(template.from, "the chat template"), cause }),
    )
  if (tools === undefined) return prompt({ ...variables && { variables } })
  return Effect.gen(function* () {
    // SmolLM3's template reads them by a name of its own.
    const text = yield* prompt({ tools, variables: { xml_tools: tools, ...variables } })
    if (text !== (yield* prompt({ variables: { ...variables, xml_tools: [] } }))) return text
    return yield* badField(
      "tools",
      "the chat template of the model shows no tools: leave them out, or serve another model",
    )
  })
}

/** Options of the engine's row. */
function rowOf(asked: Asked, ends: ReadonlyArray<number>): AnswerOptions {
  const { maxTokens, stop, stopTokens, logProbabilities: count, adapter, form: _, shown: __, ...sampling } = asked
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
