import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { attempt, type DataError } from "../../data/data_error.ts"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { ModelError } from "../../model/model_error.ts"
import type { Engine, NewToken, RowOptions } from "../engine.ts"
import { type GenerateError, toGenerateError } from "../generate.ts"
import { bytePieces } from "./byte_pieces.ts"
import { stopSearch, wrongStopStrings } from "./stop_strings.ts"
import { textPieces } from "./text_pieces.ts"

/** Options of {@link answer}. */
export interface AnswerOptions extends RowOptions {
  /** Ids of tokens that end the answer. Default: the tokenizer's end token; see {@link endTokens} for those of a model's files. */
  readonly stop?: ReadonlyArray<number>
  /** Texts that end the answer, and are no part of it. They may begin and end within tokens. Default: none. */
  readonly stopStrings?: ReadonlyArray<string>
}

/** Why an answer ended. */
export type AnswerEnd =
  | {
    /** `"stop"`: an end token, or the constraint is complete. `"length"`: `maxNewTokens`. */
    readonly reason: "stop" | "length"
  }
  | {
    /** A stop string. */
    readonly reason: "stop string"
    /** The one that came. */
    readonly stopString: string
  }

/** A piece of an answer. */
export interface AnswerPart {
  /** Text that no later token changes, and that no stop string is part of. Joined, the texts are the answer. */
  readonly text: string
  /** New tokens, those that end the answer too; their text may come in later parts, or not at all (a stop string). */
  readonly tokens: ReadonlyArray<NewToken>
  /** Why the answer ends; in the last part alone. */
  readonly end?: AnswerEnd
}

/** A whole answer. */
export interface Answer extends AnswerPart {
  /** Why it ended. */
  readonly end: AnswerEnd
}

/**
 * The answer to a prompt, a text or token ids, in parts as it comes. It runs while it is read, together with the other rows of
 * the engine; if the reader stops, or the stream is interrupted, its row is free after the step under way.
 */
export function answer(
  engine: Engine,
  tokenizer: Tokenizer,
  prompt: string | ArrayLike<number>,
  options: AnswerOptions = {},
): Stream.Stream<AnswerPart, GenerateError | DataError> {
  return Stream.unwrap(Effect.gen(function* () {
    const { stopStrings = [], onToken, ...own } = options
    const wrong = wrongStopStrings(stopStrings)
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    const ids = typeof prompt === "string" ? yield* attempt(() => tokenizer.encode(prompt)) : prompt
    // Steps that others ask for bring tokens too.
    const waiting: Array<NewToken> = []
    const take = (token: NewToken) => {
      waiting.push(token)
      onToken?.(token)
    }
    const row = { stop: tokenizer.eosId === undefined ? [] : [tokenizer.eosId], ...own, onToken: take }
    yield* Effect.acquireRelease(
      Effect.try({ try: () => engine.insert(ids, row), catch: toGenerateError }),
      (id) => Effect.sync(() => engine.remove(id)),
    )
    const { bytes } = row.constraint ?? {}
    const pieces = bytes === undefined ? textPieces(tokenizer, engine.continues ? ids : []) : bytePieces(bytes)
    const search = stopSearch(stopStrings)
    const step = Effect.uninterruptible(Effect.tryPromise({ try: engine.next, catch: toGenerateError }))
    return Stream.unfold(true, (goesOn) =>
      Effect.gen(function* () {
        if (!goesOn) return
        while (waiting.length === 0) yield* step
        const part = partOf(waiting.splice(0), pieces, search)
        if (typeof part === "string") return yield* new ModelError({ reason: "Unsupported", message: part })
        return [part, part.end === undefined] as const
      }))
  }))
}

/** The answer as a whole. */
export function answered(
  engine: Engine,
  tokenizer: Tokenizer,
  prompt: string | ArrayLike<number>,
  options: AnswerOptions = {},
): Effect.Effect<Answer, GenerateError | DataError> {
  return Effect.map(Stream.runCollect(answer(engine, tokenizer, prompt, options)), (parts) => ({
    text: parts.map(({ text }) => text).join(""),
    tokens: parts.flatMap(({ tokens }) => tokens),
    end: parts.at(-1)!.end!,
  }))
}

const STUCK =
  "the row's constraint left no token that may come: a schema's or choice's has more ways to go on than are followed"

/** What new tokens add to an answer, or why it cannot go on. */
function partOf(
  news: ReadonlyArray<NewToken>,
  pieces: ReturnType<typeof textPieces>,
  search: ReturnType<typeof stopSearch>,
): AnswerPart | string {
  let text = ""
  for (const [i, { token, finished }] of news.entries()) {
    if (finished === "dead end") return STUCK
    const added = search.add(pieces.add(token), pieces.end())
    text += added.text
    const tokens = news.slice(0, i + 1)
    if (added.found !== undefined) return { text, tokens, end: { reason: "stop string", stopString: added.found } }
    if (finished !== undefined) return { text: text + search.rest() + pieces.end(), tokens, end: { reason: finished } }
  }
  return { text, tokens: news }
}
