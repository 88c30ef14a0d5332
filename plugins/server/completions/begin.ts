import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Found } from "../find.ts"
import { began, tokens as count } from "../metrics.ts"
import { badField } from "../requests/api_error.ts"
import { withinSeconds } from "../requests/time_limit.ts"
import type { AnswerOptions, AnswerPiece } from "../served.ts"

/** What is asked of a model: an answer to each prompt, or several. */
export interface Asked {
  /** Prompts as token ids. */
  readonly prompts: ReadonlyArray<Int32Array>
  /** The field that has them, for errors. */
  readonly promptField: string
  /** Answers to each. */
  readonly n: number
  /** Most tokens of an answer, 0 for none. Default: as many as fit. */
  readonly maxTokens: number | undefined
  /** The field that says so, for errors. */
  readonly maxTokensField: string
  /** How they are drawn. */
  readonly options: Omit<AnswerOptions, "maxTokens" | "stream" | "adapter">
}

/** Limits of a server. */
export interface AnswerLimits {
  readonly maxTokens?: number
  readonly answerSeconds: number
}

/** An answer under way. */
export type Begun = Stream.Stream<AnswerPiece, unknown>

const NOTHING: AnswerPiece = { text: "", tokens: [], finished: "length" }

/** How many tokens the answer to a prompt may have. Throws where the prompt leaves no room for as many as are asked for. */
function roomFor(prompt: Int32Array, most: number, asked: Asked, limits: AnswerLimits): number {
  const { maxTokens, maxTokensField: field } = asked
  if (limits.maxTokens !== undefined && (maxTokens ?? 0) > limits.maxTokens) {
    throw badField(field, `${field} may be at most ${limits.maxTokens}, got ${maxTokens}`)
  }
  const room = most - prompt.length
  const wanted = maxTokens ?? Math.min(Math.max(1, room), limits.maxTokens ?? Infinity)
  if (prompt.length > 0 && wanted <= room) return wanted
  const message = prompt.length === 0
    ? "the prompt has no tokens"
    : `the prompt has ${prompt.length} tokens, which with ${wanted} new ones are more than the ${most} positions of the model`
  throw badField(asked.promptField, message, "context_length_exceeded")
}

/** Begins all answers, prompt by prompt, or none. They go on without being read, until the scope closes. */
export function begin(
  { served, can, adapter }: Found<"writes">,
  asked: Asked,
  limits: AnswerLimits,
): Effect.Effect<ReadonlyArray<Begun>, unknown, Scope.Scope> {
  return Effect.gen(function* () {
    const rows = asked.prompts.flatMap((prompt) => {
      const maxTokens = roomFor(prompt, can.maxPositions, asked, limits)
      return Array.from({ length: asked.n }, (_, stream) => ({ prompt, maxTokens, stream }))
    })
    const model = adapter ?? served.id
    yield* count(model, asked.prompts.reduce((sum, { length }) => sum + length, 0), 0)
    const writing = rows.filter(({ maxTokens }) => maxTokens > 0).length
    const free = writing === 0 ? Effect.void : yield* served.places.take(writing)
    const chosen = adapter === undefined ? {} : { adapter }
    return yield* Effect.forEach(
      rows,
      ({ prompt, maxTokens, stream }) =>
        maxTokens === 0 ? Effect.succeed(Stream.make(NOTHING)) : can.answer(prompt, {
          ...asked.options,
          ...chosen,
          maxTokens,
          stream,
        }).pipe(Effect.flatMap((answer) => pumped(answer, { model, free, seconds: limits.answerSeconds }))),
    )
  })
}

/** An answer that goes on without being read. */
function pumped(
  answer: Stream.Stream<AnswerPiece, unknown>,
  { model, free, seconds }: { readonly model: string; readonly free: Effect.Effect<void>; readonly seconds: number },
): Effect.Effect<Begun, never, Scope.Scope> {
  return Effect.gen(function* () {
    const pieces = yield* Queue.unbounded<AnswerPiece, unknown>()
    const since = performance.now()
    let first = true
    yield* Stream.runForEach(answer, (piece) =>
      Effect.gen(function* () {
        if (first) yield* began(model, (performance.now() - since) / 1000)
        first = false
        yield* count(model, 0, piece.tokens.length)
        yield* Queue.offer(pieces, piece)
      })).pipe(
        withinSeconds(seconds),
        Effect.ensuring(free),
        Effect.matchCauseEffect({
          onSuccess: () => Queue.end(pieces as Queue.Queue<AnswerPiece, unknown | Cause.Done>),
          onFailure: (cause) => Queue.failCause(pieces, cause),
        }),
        Effect.forkScoped,
      )
    return Stream.fromQueue(pieces)
  })
}
