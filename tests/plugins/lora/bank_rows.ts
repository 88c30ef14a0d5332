/**
 * Rows of an engine with a bank.
 * @module
 */
import * as Effect from "effect/Effect"
import type { Engine, RowOptions } from "../../../core/inference/mod.ts"

/** Token ids of a model of 32. */
export const prompt = (length: number) => Int32Array.from({ length }, (_, i) => (7 * length + 5 * i + 3) % 32)
/** What rows have in common. */
export const OPTIONS: RowOptions = { maxNewTokens: 6, logProbabilities: true }

/** Each row's tokens, with their log-probabilities. */
export const textsOf = ({ insert, next }: Engine, rows: ReadonlyArray<RowOptions>) =>
  Effect.promise(async () => {
    const made = new Map(rows.map((row, i) => [insert(prompt(3 + i), { ...OPTIONS, ...row }), [] as Array<number>]))
    for (let open = made.size; open > 0;) {
      for (const [id, { token, logProbability, finished }] of await next()) {
        made.get(id)!.push(token, logProbability!)
        if (finished) open--
      }
    }
    return [...made.values()]
  })
