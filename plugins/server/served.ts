/**
 * What a server serves: values that routes look for by the field `model`. A layer over a model, such as one that watches its
 * answers, is a function from one of these to another.
 * @module
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Prediction } from "../../core/tasks/task.ts"
import type { TextForm } from "../../core/inference/text/mod.ts"
import type { Conversation, Message } from "../chat/mod.ts"
import type { CallSpelling } from "./calls/call_spelling.ts"
import type { Places } from "./requests/places.ts"

/** A token and how likely it was. */
export interface ScoredToken {
  /** Its id. */
  readonly token: number
  /** Its text; of a token that is a part of a character, U+FFFD. */
  readonly text: string
  /** True for the token that ended an answer, and is no part of its text. */
  readonly ends?: true
  /** Natural logarithm of its probability; none for the first token of a prompt. */
  readonly logProbability?: number
  /** The likeliest tokens in its place, the likeliest first. */
  readonly alternatives: ReadonlyArray<{
    readonly token: number
    readonly text: string
    readonly logProbability: number
  }>
}

/** A piece of an answer. */
export interface AnswerPiece {
  /** Text of whole characters that nothing changes any more. */
  readonly text: string
  /** The tokens that came since the piece before; with their probabilities only where they were asked for. */
  readonly tokens: ReadonlyArray<ScoredToken>
  /** Set for the last piece: why it is the last. */
  readonly finished?: "stop" | "length"
}

/** How an answer is written. */
export interface AnswerOptions {
  /** Name of the adapter that it goes through. Default: none. */
  readonly adapter?: string
  /** Most tokens. */
  readonly maxTokens: number
  /** Texts that end the answer, and are not part of it. */
  readonly stop: ReadonlyArray<string>
  /** Ids of tokens that end it, beside those of the model. */
  readonly stopTokens: ReadonlyArray<number>
  /** 0 takes the likeliest token. */
  readonly temperature: number
  /** Default: all. */
  readonly topK?: number
  /** Default 1. */
  readonly topP?: number
  /** Default 0. */
  readonly minP?: number
  /** Default 1. */
  readonly repetitionPenalty?: number
  /** Seed of the draws. */
  readonly seed: number
  /** Tells apart the draws of answers with one seed. */
  readonly stream: number
  /** How many of the likeliest tokens come with each, 0 for its own probability alone. Default: no probabilities. */
  readonly logProbabilities?: number
  /** Form that the answer keeps to, such as `{ schema }` for JSON by a JSON Schema. Default: none. */
  readonly form?: TextForm
  /** Special tokens that are text where they come, such as those that mark calls. Default: none are. */
  readonly shown?: ReadonlyArray<string>
}

/** What belongs to the messages of a chat. */
export interface ChatRest extends Omit<Conversation, "messages"> {
  /** Text that the answer begins with. It may spell special tokens. Default: none. */
  readonly begin?: string
}

/** A language model that answers. Its failures are told to the client where they say what is wrong with the request. */
export interface Writes {
  /** Most tokens of prompt and answer together. */
  readonly maxPositions: number
  /** Token ids are below this. */
  readonly vocabSize: number
  /** Token ids of a text, with the special tokens that the tokenizer puts around it. */
  readonly encode: (text: string) => Effect.Effect<Int32Array, unknown>
  /** Text of token ids, with special tokens. */
  readonly decode: (ids: Int32Array) => string
  /** Token ids of a chat, up to where the answer begins, or goes on. */
  readonly chat: (messages: ReadonlyArray<Message>, rest?: ChatRest) => Effect.Effect<Int32Array, unknown>
  /** How it writes calls of tools. Default: not known, and tools are refused. */
  readonly calls?: CallSpelling
  /** Begins an answer. It goes on, however slowly the stream is read, until it ends or the scope closes. */
  readonly answer: (
    prompt: Int32Array,
    options: AnswerOptions,
  ) => Effect.Effect<Stream.Stream<AnswerPiece, unknown>, unknown, Scope.Scope>
  /** How likely each token of some prompts is after those before it, with so many of the likeliest tokens in its place. */
  readonly score: (
    prompts: ReadonlyArray<Int32Array>,
    options: { readonly alternatives: number; readonly adapter?: string },
  ) => Effect.Effect<ReadonlyArray<ReadonlyArray<ScoredToken>>, unknown>
}

/** Adapters that come and go. */
export interface AdapterSlots {
  /** Those that are loaded: where each was read from, by name. */
  readonly loaded: () => ReadonlyMap<string, string>
  /** Reads an adapter from a folder; one that has the name is replaced once the new one is whole. */
  readonly load: (name: string, folder: string) => Effect.Effect<void, unknown>
  /** Forgets an adapter; rows that go through it end first. */
  readonly unload: (name: string) => Effect.Effect<void, unknown>
}

/** What a model makes of texts, and the tokens that it read. */
export interface Read<A> {
  /** One for each text, in their order. */
  readonly results: ReadonlyArray<A>
  /** Tokens of all texts. */
  readonly tokens: number
}

/** A function of texts, each through the adapter of that name. */
export type Reads<A> = (texts: ReadonlyArray<string>, adapter?: string) => Effect.Effect<Read<A>, unknown>

/** A model that is served, with its adapters. */
export interface Served {
  /** Its name in the field `model`. */
  readonly id: string
  /** Room for requests. */
  readonly places: Places
  /** Answers chats and continues texts. Default: it does not. */
  readonly writes?: Writes
  /** Embeddings. Default: it gives none. */
  readonly embeds?: Reads<Float32Array>
  /** Probabilities of classes. Default: it gives none. */
  readonly classifies?: Reads<Prediction>
  /** Its adapters. Default: it takes none. */
  readonly adapters?: AdapterSlots
}
