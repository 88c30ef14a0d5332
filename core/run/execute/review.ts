import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Model } from "../../model/model.ts"
import type { ReportSection } from "../../report/report_section.ts"
import type { EvaluateError, Evaluation } from "../../training/evaluate.ts"
import type { ResolvedRun } from "../resolve_run.ts"
import type { Tell } from "./tell.ts"
import type { TaskPart } from "./task_part.ts"

/** What a review sees. */
export interface Reviewed {
  /** The run. */
  readonly run: ResolvedRun
  /** Its tasks with their rows. */
  readonly parts: ReadonlyArray<TaskPart>
  /** The model; the same value before and after training. */
  readonly model: Model
  /** Tells a line. */
  readonly tell: Tell
}

/** What a review found. */
export interface Finding {
  /** Sections of the report. */
  readonly sections: ReadonlyArray<ReportSection>
  /** Entries of `summary.json`. Default: none. */
  readonly summary?: Readonly<Record<string, unknown>>
}

/** Accounts for something in a run: sees rows and model before training, then, with the evaluations of the tasks, after it. */
export type Review = (
  seen: Reviewed,
) => Effect.Effect<
  (after: ReadonlyArray<Evaluation>) => Effect.Effect<Finding, EvaluateError, FileSystem.FileSystem>,
  EvaluateError,
  FileSystem.FileSystem
>
