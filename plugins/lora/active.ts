/**
 * Which of a model's adapters are at work.
 * @module
 */
import * as Effect from "effect/Effect"
import type { Model } from "../../core/model/mod.ts"
import { ModelError } from "../../core/model/model_error.ts"

/**
 * Switches adapters on, and all others of `all` off. What was merged cannot be switched off.
 *
 * @param all Ids of all adapters.
 * @param on Ids of those that are to be at work.
 */
export function activate(
  model: Model,
  all: ReadonlyArray<string>,
  on: ReadonlyArray<string>,
): Effect.Effect<void, ModelError> {
  return Effect.suspend(() => {
    const off = all.filter((id) => !on.includes(id))
    const merged = off.find((id) => model.merged.has(id))
    if (merged !== undefined) {
      const message = `${merged} is merged: its update lies in the base weights and cannot be switched off; unmerge it`
      return Effect.fail(new ModelError({ reason: "Unsupported", message }))
    }
    for (const id of on) model.off.delete(id)
    for (const id of off) model.off.add(id)
    return Effect.void
  })
}

/** Runs an effect with all adapters off, and puts back what was. */
export function withoutAdapters<A, E, R>(
  model: Model,
  all: ReadonlyArray<string>,
  use: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | ModelError, R> {
  return Effect.acquireUseRelease(
    Effect.suspend(() => {
      const on = all.filter((id) => !model.off.has(id))
      return Effect.as(activate(model, all, []), on)
    }),
    () => use,
    (on) => Effect.sync(() => on.forEach((id) => model.off.delete(id))),
  )
}
