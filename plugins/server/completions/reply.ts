/**
 * Answers as a whole, or as server-sent events.
 * @module
 */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { newId } from "../requests/new_id.ts"
import { toldInStream } from "../requests/route.ts"
import type { AnswerPiece, ScoredToken } from "../served.ts"
import type { Begun } from "./begin.ts"

/** A whole answer. */
export interface Whole {
  readonly text: string
  readonly tokens: ReadonlyArray<ScoredToken>
  readonly finished: NonNullable<AnswerPiece["finished"]>
}

/** How a kind of completion is spelled. */
export interface Spelling {
  /** Prefix of ids. */
  readonly kind: string
  /** `object` of a whole answer. */
  readonly object: string
  /** `object` of an event. */
  readonly chunk: string
  /** A choice of a whole answer, without its index. */
  readonly whole: (answer: Whole, index: number) => object
  /** Choices of events before the first piece of each answer. */
  readonly first: (index: number) => ReadonlyArray<object>
  /** A choice of an event, without its index. */
  readonly part: (piece: AnswerPiece, index: number) => object
}

/** What an answer is about. */
export interface About {
  readonly model: string
  /** Tokens of all prompts. */
  readonly promptTokens: number
  readonly stream: boolean
  readonly includeUsage: boolean
}

const usageOf = (prompt: number, made: number) => ({
  prompt_tokens: prompt,
  completion_tokens: made,
  total_tokens: prompt + made,
})

const collect = (answer: Begun): Effect.Effect<Whole, unknown> =>
  Effect.map(Stream.runCollect(answer), (pieces) => ({
    text: pieces.map(({ text }) => text).join(""),
    tokens: pieces.flatMap(({ tokens }) => tokens),
    finished: pieces.at(-1)!.finished!,
  }))

/** The answers to a request. */
export function reply(
  answers: ReadonlyArray<Begun>,
  spelling: Spelling,
  about: About,
): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown> {
  if (about.stream) return Effect.succeed(events(answers, spelling, about))
  return Effect.map(
    Effect.forEach(answers, collect, { concurrency: "unbounded" }),
    (all) =>
      HttpServerResponse.jsonUnsafe({
        ...newId(spelling.kind),
        object: spelling.object,
        model: about.model,
        choices: all.map((answer, index) => ({ index, ...spelling.whole(answer, index) })),
        usage: usageOf(about.promptTokens, all.reduce((sum, { tokens }) => sum + tokens.length, 0)),
      }),
  )
}

const HEADERS = { "cache-control": "no-cache", "x-accel-buffering": "no" }

const event = (data: unknown) => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** Server-sent events, the last of which is `[DONE]`; one with an error is the last without it. */
function events(
  answers: ReadonlyArray<Begun>,
  { kind, chunk, first, part }: Spelling,
  { model, promptTokens, includeUsage }: About,
): HttpServerResponse.HttpServerResponse {
  const head = { ...newId(kind), object: chunk, model }
  const usage = includeUsage ? { usage: null } : {}
  let made = 0
  const choice = (index: number, own: object) => ({ ...head, choices: [{ index, ...own }], ...usage })
  const all = answers.map((answer, index) =>
    Stream.concat(
      Stream.fromIterable(first(index).map((own) => choice(index, own))),
      Stream.map(answer, (piece) => {
        made += piece.tokens.length
        return choice(index, part(piece, index))
      }),
    )
  )
  const last = Stream.suspend(() =>
    Stream.fromIterable<unknown>([
      ...includeUsage ? [{ ...head, choices: [], usage: usageOf(promptTokens, made) }] : [],
      "[DONE]",
    ])
  )
  const body = Stream.mergeAll(all, { concurrency: "unbounded" }).pipe(
    Stream.concat(last),
    Stream.catchCause((cause) => Stream.fromEffect(Effect.map(toldInStream(cause), ({ body }): unknown => body))),
    Stream.map(event),
    Stream.encodeText,
  )
  return HttpServerResponse.stream(body, { contentType: "text/event-stream", headers: HEADERS })
}
