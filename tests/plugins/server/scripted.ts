/**
 * A model whose answers are written in the test: how a server treats requests does not depend on weights.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Server from "../../../plugins/server/mod.ts"

/** What a {@link scripted} model has done. */
export interface Account {
  /** Answers that were begun. */
  begun: number
  /** Answers that go on. */
  open: number
  /** What belonged to the last chat, and how its answer was to be written. */
  last: { rest?: Server.ChatRest | undefined; options?: Server.AnswerOptions }
}

/** Options of {@link scripted}. */
export interface Script {
  /** Milliseconds between pieces. Default 0. */
  readonly pause?: number
  /** Answers at once, and those that wait. Default 2 and 1. */
  readonly places?: readonly [rows: number, queue: number]
  /** What the third piece fails with. Default: nothing. */
  readonly fails?: unknown
  /** Adapters. Default: none are taken. */
  readonly adapters?: Server.AdapterSlots
  /** What it says, a character a token. Default: the alphabet, without end. */
  readonly says?: string
  /** How it writes calls. Default: as Hermes. */
  readonly calls?: Server.CallSpelling
}

const ids = (text: string): Int32Array => Int32Array.from(text, (letter) => letter.codePointAt(0)!)

/** A model named `script` that says "a", "b", "c", ..., or what it is told, with 1,000 positions. */
export function scripted(script: Script = {}): { readonly served: Server.Served; readonly account: Account } {
  const account: Account = { begun: 0, open: 0, last: {} }
  const { pause = 0, places: [rows, queue] = [2, 1], fails, adapters, says } = script
  const letters = says === undefined ? undefined : Array.from(says)
  const answer: Server.Writes["answer"] = (_, options) =>
    Effect.sync(() => {
      account.begun++
      account.last.options = options
      const { maxTokens } = options
      const length = Math.min(maxTokens, letters?.length ?? Infinity)
      const piece = (at: number) =>
        Effect.gen(function* () {
          yield* Effect.sleep(pause)
          if (at === 2 && fails !== undefined) return yield* Effect.fail(fails)
          const text = letters?.[at] ?? String.fromCharCode(97 + at % 26)
          const finished = letters?.length === length ? "stop" as const : "length" as const
          return {
            text,
            tokens: [{ token: text.codePointAt(0)!, text, alternatives: [] }],
            ...at + 1 === length ? { finished } : {},
          }
        })
      return Stream.range(0, length - 1).pipe(
        Stream.mapEffect(piece),
        Stream.onStart(Effect.sync(() => account.open++)),
        Stream.ensuring(Effect.sync(() => account.open--)),
      )
    })
  const served: Server.Served = {
    id: "script",
    places: Server.makePlaces(rows, queue),
    writes: {
      maxPositions: 1000,
      vocabSize: 0x110000,
      encode: (text) => Effect.succeed(ids(text)),
      decode: (ids) => String.fromCodePoint(...ids),
      calls: script.calls ?? Server.callSpellings.hermes,
      chat: (messages, rest) => {
        account.last.rest = rest
        return Effect.succeed(ids(messages.map(({ content }) => content).join("\n")))
      },
      answer,
      score: (prompts) => Effect.succeed(prompts.map(() => [])),
    },
    ...adapters === undefined ? {} : { adapters },
  }
  return { served, account }
}
