import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import type { Resolved } from "../../../core/options/mod.ts"
import type { Happened, Served } from "./events.ts"
import { accuracyOf, divided, type JudgedRow } from "./judged_rows.ts"
import type { RetrainOptions } from "./options.ts"
import { filesOf, writeRunFiles } from "./run_files.ts"
import type { Phase, State } from "./state.ts"

/** What a step sees. */
export interface Seen {
  /** Options. */
  readonly settings: Resolved<RetrainOptions>
  /** What the log says. */
  readonly state: State
  /** All judged rows. */
  readonly rows: ReadonlyArray<JudgedRow>
}

type Step<Name extends Phase["name"]> = (
  phase: Extract<Phase, { readonly name: Name }>,
  seen: Seen,
) => Effect.Effect<Happened | undefined, never, FileSystem.FileSystem>

const nothing: Effect.Effect<undefined> = Effect.succeed(undefined)

/** The work of a phase, and the event that ends it; a failure is an event too. Undefined where rows are waited for. */
export const stepOf = (seen: Seen): ReturnType<Step<"idle">> => {
  const { phase } = seen.state
  return (STEPS[phase.name] as Step<Phase["name"]>)(phase, seen)
}

const STEPS: { readonly [Name in Phase["name"]]: Step<Name> } = {
  idle: (_, { state: { asked, retrains, rows: before }, settings: { folder, fewest }, rows: { length } }) => {
    const id = retrains + 1
    const start = asked !== undefined && length - before >= fewest
    return start ? Effect.succeed({ type: "started", id, rows: length, run: `${folder}/runs/${id}` }) : nothing
  },

  training: ({ id, run }, { settings: { train, run: spec, labels, most }, state, rows }) =>
    tried(
      id,
      Effect.gen(function* () {
        const files = filesOf(run)
        // A run that ended while nobody could note it.
        if (yield* pathExists(files.adapter)) return { type: "trained", id }
        const taken = rows.slice(0, state.rows).slice(-most)
        yield* writeRunFiles(run, divided(taken), spec, labels)
        yield* train(files.run)
        return { type: "trained", id }
      }),
    ),

  scoring: ({ id, run }, { settings: { score, heldOut, tolerance }, state: { serving } }) =>
    tried(
      id,
      Effect.gen(function* () {
        const { adapter, fresh: rows } = filesOf(run)
        const both = (file: string) => Effect.all({ old: score(serving.folder, file), new: score(adapter, file) })
        const [held, fresh] = [yield* both(heldOut), yield* both(rows)]
        const better = fresh.new > fresh.old && held.new >= held.old - tolerance
        return { type: "scored", id, heldOut: held, fresh, better }
      }),
    ),

  deciding: ({ id, run, better }) =>
    Effect.succeed(
      better
        ? { type: "swapping", id, to: { name: `retrain-${id}`, folder: filesOf(run).adapter } }
        : { type: "rejected", id },
    ),

  swapping: ({ id, to }, { settings: { target }, state: { serving }, rows: { length: rows } }) =>
    tried(
      id,
      Effect.as(install(target, to), { type: "swapped", id, rows }),
    ).pipe(Effect.tap((event) =>
      event.type === "failed" ? Effect.ignore(Effect.suspend(() => target.serve(serving.name))) : Effect.void
    )),

  watching: ({ id, from, since }, { settings: { watch }, state: { serving }, rows }) => {
    const own = rows.slice(since).filter(({ by }) => by === serving.name)
    if (own.length < watch) return nothing
    const before = rows.slice(0, since).filter(({ by }) => by === from.name).slice(-watch)
    const fresh = accuracyOf(own.slice(0, watch))!
    const live = { old: accuracyOf(before) ?? fresh, new: fresh }
    return Effect.succeed({ type: live.new < live.old ? "rolling-back" : "kept", id, live })
  },

  "rolling back": ({ id, to }, { settings: { target } }) =>
    tried(id, Effect.as(install(target, to), { type: "rolled-back", id })),
}

/** Loads an adapter and lets it serve. */
export const install = (
  { load, serve }: RetrainOptions["target"],
  { name, folder }: Served,
): Effect.Effect<void, unknown, FileSystem.FileSystem> =>
  Effect.andThen(Effect.suspend(() => load(name, folder)), Effect.suspend(() => serve(name)))

/** The event that some work gives, or `failed` where it does not succeed; an interruption stays one. */
function tried(
  id: number,
  work: Effect.Effect<Happened, unknown, FileSystem.FileSystem>,
): Effect.Effect<Happened, never, FileSystem.FileSystem> {
  return Effect.flatMap(Effect.exit(work), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
    if (Cause.hasInterruptsOnly(exit.cause)) return Effect.interrupt
    const error = Cause.squash(exit.cause)
    return Effect.succeed({ type: "failed", id, message: error instanceof Error ? error.message : String(error) })
  })
}
