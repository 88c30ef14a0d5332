/**
 * Samples for tests of monitors.
 * @module
 */
import type { Observation, Profile } from "../../../plugins/monitor/mod.ts"
import { profileFrom } from "../../../plugins/monitor/mod.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import * as Effect from "effect/Effect"

/** How rows are made. */
export interface World {
  /** Added to all numbers of an embedding. */
  readonly shift?: number
  /** Share of the label "b". */
  readonly share?: number
  /** Share of right answers. */
  readonly right?: number
  /** Numbers of an embedding. */
  readonly width?: number
}

export const LABELS = ["a", "b"]

/** Random observations of answers, with what judged ones have too. */
export function observations(
  count: number,
  seed: number,
  { shift = 0, share = 0.2, right = 0.9, width = 8 }: World = {},
) {
  const rng = makeRng(seed, 99)
  return Array.from({ length: count }, (): Observation => {
    const correct = Number(rng.float() < right)
    return {
      numbers: {
        length: Math.round(10 + 4 * rng.normal()),
        unknown: 0,
        confidence: 0.5 + 0.5 * rng.float(),
        correct,
        loss: (correct === 1 ? 0.1 : 2) + rng.float(),
      },
      label: rng.float() < share ? "b" : "a",
      embedding: Float32Array.from({ length: width }, () => rng.normal() + shift),
    }
  })
}

/** A profile of such rows. */
export const profileOf = (rows: number, seed = 1, world: World = {}): Profile =>
  Effect.runSync(profileFrom(observations(rows, seed, world), { labels: LABELS }))
