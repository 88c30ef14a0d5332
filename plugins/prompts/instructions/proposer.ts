import type * as Effect from "effect/Effect"
import type { Rng } from "../../../core/tensor/operations/random.ts"

/** An instruction with its score. */
export interface Scored {
  /** The instruction. */
  readonly instruction: string
  /** Mean score on the rows that it was tried on. */
  readonly score: number
  /** How many rows these are: all, or the first ones where it fell behind. */
  readonly rows: number
}

/** What a proposer sees. */
export interface Proposing {
  /** The best instructions so far, scored on all rows, the best first. */
  readonly kept: ReadonlyArray<Scored>
  /** All that were tried. */
  readonly tried: ReadonlySet<string>
  /** Random numbers of the search. */
  readonly rng: Rng
}

/** Proposes instructions. */
export interface Proposer<E = never, R = never> {
  /** Its name. */
  readonly name: string
  /** Instructions to try next; those that were tried are left out. None at all ends the search. */
  readonly propose: (seen: Proposing) => Effect.Effect<ReadonlyArray<string>, E, R>
}
