import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { field, type OptionTable } from "../../../core/options/mod.ts"
import type { RunSpec } from "../../../core/run/mod.ts"
import type { Served } from "./events.ts"

/** What serves adapters: a server's bank, or a program's model. */
export interface SwapTarget<E = unknown> {
  /** Takes an adapter from its folder, so that it can serve. The same name again is the same adapter. */
  readonly load: (name: string, folder: string) => Effect.Effect<void, E, FileSystem.FileSystem>
  /** Answers come from this adapter from now on. */
  readonly serve: (name: string) => Effect.Effect<void, E, FileSystem.FileSystem>
}

/** Options of {@link retrainer}. */
export interface RetrainOptions {
  /** Folder of log, judged rows and runs. */
  readonly folder: string
  /** The adapter that serves first. */
  readonly first: Served
  /** What serves. */
  readonly target: SwapTarget
  /**
   * The run of which `data` becomes the judged rows and `output` a new folder. Its `replay` holds old rows, which are trained on
   * too. Relative paths count from the current folder.
   */
  readonly run: RunSpec
  /** Labels in the order of their ids, those of the run's task. */
  readonly labels: ReadonlyArray<string>
  /** File of held-out rows, with columns `text` and `label`. */
  readonly heldOut: string
  /** Carries out a run file, such as {@link childRun} does. */
  readonly train: (file: string) => Effect.Effect<void, unknown, FileSystem.FileSystem>
  /** Score of an adapter on the rows of a file with columns `text` and `label`, higher is better, such as {@link scorer}. */
  readonly score: (adapter: string, file: string) => Effect.Effect<number, unknown, FileSystem.FileSystem>
  /** Judged rows since the last retrain, before the next one starts. Default 100. */
  readonly fewest?: number
  /** Judged rows that a retrain takes, the newest ones. Default 5000. */
  readonly most?: number
  /** What the score on held-out rows may fall, in units of the score. Default 0.02. */
  readonly tolerance?: number
  /** Judged answers of the new adapter that are compared with as many of the former one's. Default 100. */
  readonly watch?: number
}

const effectOf = (value: unknown, at: string) =>
  typeof value === "function" ? [] : [{ at, message: `${at} must be a function that gives an Effect` }]

const served = field.record<Served>()({
  name: field.text({ pattern: ".", wanted: "a name", required: true, doc: "Its name in the server" }),
  folder: field.text({ pattern: ".", wanted: "a folder", required: true, doc: "Its folder" }),
}, { required: true, doc: "The adapter that serves first" })

/** {@link RetrainOptions} as a table. */
export const RETRAIN_OPTIONS: OptionTable<RetrainOptions> = {
  folder: field.text({ pattern: ".", wanted: "a folder", required: true, doc: "Folder of log, judged rows and runs" }),
  first: served,
  target: field.opaque<SwapTarget>()({
    required: true,
    doc: "What serves",
    faults: (value, at) =>
      ["load", "serve"].flatMap((name) => effectOf((value as Record<string, unknown> | null)?.[name], `${at}.${name}`)),
  }),
  run: field.opaque<RunSpec>()({
    required: true,
    doc: "The run that is repeated with other rows",
    faults: (value, at) =>
      typeof value === "object" && value !== null ? [] : [{ at, message: `${at} must be the object of a run file` }],
  }),
  labels: field.list(field.text({}), { minItems: 2, required: true, doc: "Labels in the order of their ids" }),
  heldOut: field.text({ pattern: ".", wanted: "a file", required: true, doc: "File of held-out rows" }),
  train: field.opaque<RetrainOptions["train"]>()({ required: true, doc: "Carries out a run file", faults: effectOf }),
  score: field.opaque<RetrainOptions["score"]>()({ required: true, doc: "Score of an adapter", faults: effectOf }),
  fewest: field.integer({ minimum: 8, default: 100, doc: "Judged rows before the next retrain" }),
  most: field.integer({ minimum: 8, default: 5000, doc: "Judged rows that a retrain takes" }),
  tolerance: field.number({ minimum: 0, default: 0.02, doc: "What the score on held-out rows may fall" }),
  watch: field.integer({ minimum: 1, default: 100, doc: "Judged answers that decide whether the new adapter stays" }),
}
