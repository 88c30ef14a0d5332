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
}

const ids = (text: string): Int32Array => Int32Array.from(text, (letter) => letter.codePointAt(0)!)

/** A model named `script` that says "a", "b", "c", ... with 1,000 positions. */
export function scripted(script: Script = {}): { readonly served: Server.Served; readonly account: Account } {
  const account: Account = { begun: 0, open: 0 }
  const { pause = 0, places: [rows, queue] = [2, 1], fails, adapters } = script
  const answer: Server.Writes["answer"] = (_, { maxTokens }) =>
    Effect.sync(() => {
      account.begun++
      const piece = (at: number) =>
        Effect.gen(function* () {
          yield* Effect.sleep(pause)
          if (at === 2 && fails !== undefined) return yield* Effect.fail(fails)
          const text = String.fromCharCode(97 + at % 26)
          return {
            text,
            tokens: [{ token: 97 + at % 26, text, alternatives: [] }],
            ...at + 1 === maxTokens ? { finished: "length" as const } : {},
          }
        })
      return Stream.range(0, maxTokens - 1).pipe(
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
      chat: (messages) => Effect.succeed(ids(messages.map(({ content }) => content).join("\n"))),
      answer,
      score: (prompts) => Effect.succeed(prompts.map(() => [])),
    },
    ...adapters === undefined ? {} : { adapters },
  }
  return { served, account }
}
