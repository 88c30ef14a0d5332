import type { WindowReport } from "../watch/monitor.ts"

/** An adapter that can serve. */
export interface Served {
  /** Its name in the server. */
  readonly name: string
  /** Its folder. */
  readonly folder: string
}

/** A score of two adapters on the same rows, higher is better. */
export interface Compared {
  /** Of the adapter that serves. */
  readonly old: number
  /** Of the candidate. */
  readonly new: number
}

/** What can be in the log of a monitor. */
export type Happened =
  /** The first adapter. */
  | { readonly type: "opened"; readonly serving: Served }
  /** A full window. */
  | { readonly type: "window"; readonly report: WindowReport }
  /** A retrain is asked for; it starts once there are rows enough. */
  | { readonly type: "asked"; readonly why: string }
  /** A run starts, on the first `rows` of the judged rows, in the folder `run`. One that a kill ended starts again elsewhere. */
  | { readonly type: "started"; readonly id: number; readonly rows: number; readonly run: string }
  /** The run is over and its adapter whole. */
  | { readonly type: "trained"; readonly id: number }
  /** The candidate beside the adapter that serves, on held-out and on new rows. */
  | {
    readonly type: "scored"
    readonly id: number
    readonly heldOut: Compared
    readonly fresh: Compared
    readonly better: boolean
  }
  /** Run, evaluation or swap failed: the retrain is over, and the former adapter serves on. */
  | { readonly type: "failed"; readonly id: number; readonly message: string }
  /** The candidate is no better: the retrain is over. */
  | { readonly type: "rejected"; readonly id: number }
  /** The candidate is going to serve. Written before anything changes. */
  | { readonly type: "swapping"; readonly id: number; readonly to: Served }
  /** It serves, and is watched from the judged row of this number on. */
  | { readonly type: "swapped"; readonly id: number; readonly rows: number }
  /** Live figures are as good as before: the retrain is over. */
  | { readonly type: "kept"; readonly id: number; readonly live: Compared }
  /** Live figures fell: the former adapter is going to serve. Written before anything changes. */
  | { readonly type: "rolling-back"; readonly id: number; readonly live: Compared }
  /** It serves again: the retrain is over. */
  | { readonly type: "rolled-back"; readonly id: number }

/** An entry of the log, with its time in ISO 8601. */
export type MonitorEvent = Happened & { readonly at: string }
