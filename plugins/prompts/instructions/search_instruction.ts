import * as Effect from "effect/Effect"
import { attempt, DataError } from "../../../core/data/data_error.ts"
import { dataOptions } from "../../../core/data/data_options.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import type { Proposer, Scored } from "./proposer.ts"

/** How many calls an instruction search may make, and how it goes on. */
export interface SearchLimits {
  /** Rows of the development set. */
  readonly rows: number
  /** Most calls: one is one row under one instruction. */
  readonly budget: number
  /** Rows on which an instruction is tried first; one that is clearly behind the best is dropped. Default 16. */
  readonly first?: number
  /** The best instructions that a proposer sees. Default 8. */
  readonly keep?: number
  /** Seed of the order of rows and of proposals. Default 0. */
  readonly seed?: number
}

/** An instruction search. */
export interface InstructionSearch<E = never, R = never, E2 = never, R2 = never> extends SearchLimits {
  /** Instructions to begin with. Default: none. */
  readonly start?: ReadonlyArray<string>
  /** Proposes further ones. */
  readonly propose: Proposer<E, R>
  /** Scores of rows of the development set under an instruction, one a row, higher is better. */
  readonly score: (instruction: string, rows: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<number>, E2, R2>
}

/** What a search found. */
export interface FoundInstruction {
  /** The best one, scored on all rows. */
  readonly best: Scored
  /** All that were tried, in their order. */
  readonly tried: ReadonlyArray<Scored>
  /** Calls that were made. */
  readonly calls: number
}

const LIMITS: OptionTable<SearchLimits> = {
  rows: field.integer({ minimum: 1, required: true, wanted: "a whole number from 1: there are no development rows" }),
  budget: field.integer({ minimum: 1, required: true, doc: "Most calls" }),
  first: field.integer({ minimum: 1, default: 16, doc: "Rows on which an instruction is tried first" }),
  keep: field.integer({ minimum: 1, default: 8, doc: "Instructions that a proposer sees" }),
  seed: field.integer({ minimum: 0, default: 0 }),
}

/** Rounds without a new instruction that end a search. */
const IDLE = 3

const meanOf = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Whether scores are below others of the same rows by more than the standard error of the difference. */
function isBehind(scores: ReadonlyArray<number>, best: ReadonlyArray<number>): boolean {
  const differences = scores.map((score, i) => score - best[i])
  const mean = meanOf(differences)
  const variance = meanOf(differences.map((one) => (one - mean) ** 2))
  return mean < 0 && -mean > Math.sqrt(variance / differences.length)
}

/**
 * Searches an instruction: propose, score on the development set, keep the best (APE: Zhou et al. 2022; OPRO: Yang et al. 2023).
 * An instruction is tried on a few rows first and dropped where it is clearly behind the best one there, so that the budget goes to
 * good ones. It ends when the budget has no room for another, or nothing new is proposed.
 *
 * Fails with DataError: `BadInput` for wrong limits, no development rows, or a budget below one instruction on all rows; `Empty`
 * where nothing was proposed.
 */
export function searchInstruction<E, R, E2, R2>(
  { start = [], propose, score, ...given }: InstructionSearch<E, R, E2, R2>,
): Effect.Effect<FoundInstruction, E | E2 | DataError, R | R2> {
  return Effect.gen(function* () {
    const { rows, budget, first, keep, seed } = yield* attempt(() => dataOptions(LIMITS, given))
    if (budget < rows) {
      const message = `budget is ${budget} calls, and one instruction on ${rows} development rows takes ${rows}`
      return yield* new DataError({ reason: "BadInput", message })
    }
    const rng = makeRng(seed)
    const order = rng.shuffle(Array.from({ length: rows }, (_, i) => i))
    const [early, late] = [order.slice(0, first), order.slice(first)]
    const tried = new Map<string, Scored>()
    let kept: ReadonlyArray<Scored & { readonly early: ReadonlyArray<number> }> = []
    let calls = 0
    const judge = (instruction: string) =>
      Effect.gen(function* () {
        const begun = yield* score(instruction, early)
        calls += early.length
        const behind = kept.length > 0 && isBehind(begun, kept[0].early)
        const rest = behind || late.length === 0 ? [] : yield* score(instruction, late)
        calls += rest.length
        const all = [...begun, ...rest]
        const scored = { instruction, score: meanOf(all), rows: all.length }
        tried.set(instruction, scored)
        if (behind) return
        kept = [...kept, { ...scored, early: begun }].sort((a, b) => b.score - a.score).slice(0, keep)
      })
    for (let idle = 0, next = start; calls + rows <= budget && idle < IDLE;) {
      const fresh = [...new Set(next)].filter((one) => !tried.has(one))
      idle = fresh.length === 0 ? idle + 1 : 0
      for (const instruction of fresh) if (calls + rows <= budget) yield* judge(instruction)
      next = yield* propose.propose({ kept, tried: new Set(tried.keys()), rng })
    }
    const [best] = kept
    if (best === undefined) {
      return yield* new DataError({ reason: "Empty", message: `${propose.name} proposed no instruction` })
    }
    const { early: _, ...found } = best
    return { best: found, tried: [...tried.values()], calls }
  })
}
