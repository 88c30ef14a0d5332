import { MonitorError } from "../monitor_error.ts"
import type { Happened, Served } from "./events.ts"

/** Where a retrain is. */
export type Phase =
  | { readonly name: "idle" }
  | { readonly name: "training"; readonly id: number; readonly run: string }
  | { readonly name: "scoring"; readonly id: number; readonly run: string }
  | { readonly name: "deciding"; readonly id: number; readonly run: string; readonly better: boolean }
  | { readonly name: "swapping"; readonly id: number; readonly to: Served }
  | { readonly name: "watching"; readonly id: number; readonly from: Served; readonly since: number }
  | { readonly name: "rolling back"; readonly id: number; readonly to: Served }

/** All that a log says of retrains. */
export interface State {
  /** The adapter that serves: that of the last swap that was completed. */
  readonly serving: Served
  /** Where the retrain is. */
  readonly phase: Phase
  /** Why the next retrain is asked for. Default: it is not. */
  readonly asked?: string
  /** Number of retrains so far. */
  readonly retrains: number
  /** Judged rows that the last retrain had. */
  readonly rows: number
}

const IDLE: Phase = { name: "idle" }

/** What the log says of retrains, from its events. Throws {@link MonitorError} `Log` for an order that cannot be. */
export function stateOf(events: ReadonlyArray<Happened>): State | undefined {
  return events.reduce<State | undefined>((state, event, i) => {
    const next = state === undefined ? first(event) : after(state, event)
    if (next !== undefined) return next
    const message = `event ${i + 1} of the log, "${event.type}", cannot follow ` +
      `${state === undefined ? "on nothing" : `"${state.phase.name}"`}: the log is of several monitors, or was edited`
    throw new MonitorError({ reason: "Log", message })
  }, undefined)
}

const first = (event: Happened): State | undefined =>
  event.type === "opened" ? { serving: event.serving, phase: IDLE, retrains: 0, rows: 0 } : undefined

/** The state after an event; undefined where the event cannot be. */
export function after(state: State, event: Happened): State | undefined {
  const step = STEPS[event.type] as (state: State, event: Happened) => State | undefined
  const { phase } = state
  const same = !("id" in event) || phase.name === "idle" || phase.id === event.id
  return step === undefined || !same ? undefined : step(state, event)
}

type Step<Type extends Happened["type"]> = (
  state: State,
  event: Extract<Happened, { readonly type: Type }>,
) => State | undefined

/** What each event does to the state. */
const STEPS: { readonly [Type in Happened["type"]]: Step<Type> } = {
  opened: () => undefined,
  window: (state) => state,
  asked: (state, { why }) => ({ ...state, asked: why }),
  started: ({ serving, phase }, { id, rows, run }) =>
    phase.name === "idle" || phase.name === "training"
      ? { serving, phase: { name: "training", id, run }, retrains: id, rows }
      : undefined,
  trained: (state, { id }) =>
    state.phase.name === "training" ? { ...state, phase: { name: "scoring", id, run: state.phase.run } } : undefined,
  scored: (state, { id, better }) =>
    state.phase.name === "scoring"
      ? { ...state, phase: { name: "deciding", id, run: state.phase.run, better } }
      : undefined,
  failed: (state) =>
    state.phase.name === "idle" || state.phase.name === "watching" ? undefined : { ...state, phase: IDLE },
  rejected: (state) => state.phase.name === "deciding" ? { ...state, phase: IDLE } : undefined,
  swapping: (state, { id, to }) =>
    state.phase.name === "deciding" ? { ...state, phase: { name: "swapping", id, to } } : undefined,
  swapped: (state, { id, rows }) =>
    state.phase.name === "swapping"
      ? { ...state, serving: state.phase.to, phase: { name: "watching", id, from: state.serving, since: rows } }
      : undefined,
  kept: (state) => state.phase.name === "watching" ? { ...state, phase: IDLE } : undefined,
  "rolling-back": (state, { id }) =>
    state.phase.name === "watching"
      ? { ...state, phase: { name: "rolling back", id, to: state.phase.from } }
      : undefined,
  "rolled-back": (state) =>
    state.phase.name === "rolling back" ? { ...state, serving: state.phase.to, phase: IDLE } : undefined,
}
