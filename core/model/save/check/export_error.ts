import * as Data from "effect/Data"
import type { SelfCheck } from "./check_figures.ts"

/** What an {@link ExportError} holds. */
export interface ExportErrorFields {
  /** `Inexact`: what was written answers otherwise than the model by more than the tolerance. `Options`: they make no sense. */
  readonly reason: "Inexact" | "Options"
  /** The figures, where what was written is inexact. */
  readonly check?: SelfCheck
  /** What is wrong, and what to do. */
  readonly message: string
}
/** A model cannot leave as asked; an older file is as it was. */
export class ExportError extends Data.Error<ExportErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "ExportError" = "ExportError"
  /** Shown in stack traces. */
  override readonly name: string = "ExportError"
}
