import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data, RowKind } from "../../data/data.ts"
import type { DataError } from "../../data/data_error.ts"
import { textRows } from "../../tasks/dataset/dataset.ts"
import { generalText } from "../../tasks/general/general_text.ts"
import type { ResolvedRun } from "../resolve_run.ts"
import type { TaskPart } from "./task_part.ts"

/** General text among the old rows of a run, and what the report says of it. */
export interface GeneralRows {
  /** Rows by name; empty where the model is not judged on general text. */
  readonly rows: Readonly<Record<string, Data>>
  /** What is judged, or why nothing is. */
  readonly told: string
}

/** Name of the rows in a run of one task. Of several, old rows have the names of tasks. */
const NAME = "general text"

/** General text for the first task that has a loss on plain text and no old rows of that name. */
export function generalRows(
  { generalText: path, retain }: ResolvedRun,
  parts: ReadonlyArray<TaskPart>,
): Effect.Effect<GeneralRows, DataError, FileSystem.FileSystem> {
  const none = (why: string) => Effect.succeed({ rows: {}, told: `not judged: ${why}` })
  if (path === "none") return none("generalText is none")
  const able = parts.filter(({ task }) => task.rows.includes(textRows as RowKind))
  if (able.length === 0) {
    return none(`a head for ${parts.map(({ task }) => task.kind).join(", ")} has no loss on plain text`)
  }
  const name = able.map(({ name = NAME }) => name).find((name) => !Object.hasOwn(retain, name))
  if (name === undefined) return none("retain has rows of its own under that name")
  return Effect.map(generalText(path), (data) => ({
    rows: { [name]: data },
    told: `${data.rows.length} texts of ${path ?? "this package"}, under Forgetting as "${name}"`,
  }))
}
