import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { StorageError } from "../../../core/formats/files/storage_error.ts"
import { MonitorError } from "../monitor_error.ts"
import type { Happened, MonitorEvent, Served } from "./events.ts"
import { openJournal } from "./journal.ts"
import { after, type State, stateOf } from "./state.ts"

/** The log of a monitor, and what it says. */
export interface Log {
  /** The events, oldest first. */
  readonly events: ReadonlyArray<MonitorEvent>
  /** What they say. */
  readonly state: () => State
  /** Writes what happened, from the state at that moment; the state changes once it is on the disk. */
  readonly happen: (
    eventsOf: (state: State) => ReadonlyArray<Happened>,
  ) => Effect.Effect<void, MonitorError | StorageError>
}

const time = (): string => new Date().toISOString()

/** Opens a log until the scope closes. A new one begins with the first adapter. */
export function openLog(
  path: string,
  first: Served,
): Effect.Effect<Log, MonitorError | StorageError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    const { entries, append } = yield* openJournal<MonitorEvent>(path)
    if (entries.length === 0) yield* append([{ type: "opened", serving: first, at: time() }])
    let state = (yield* attempt(() => stateOf(entries), MonitorError))!
    const one = yield* Semaphore.make(1)
    const happen: Log["happen"] = (eventsOf) =>
      one.withPermit(Effect.gen(function* () {
        const events = eventsOf(state)
        const next = events.reduce<State | undefined>((now, event) => now && after(now, event), state)
        if (next === undefined) {
          const message = `"${events.map(({ type }) => type)}" cannot follow "${state.phase.name}"`
          return yield* new MonitorError({ reason: "Log", message })
        }
        yield* append(events.map((event) => ({ ...event, at: time() })))
        state = next
      }))
    return { events: entries, state: () => state, happen }
  })
}
