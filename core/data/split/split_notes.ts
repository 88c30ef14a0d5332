import type { Data } from "../data.ts"
import type { Conflict, Duplicate } from "./duplicates.ts"
import { countOf, firstOf } from "../labels/label_groups.ts"
import { MASKED } from "../batches/masked.ts"

/** A split, for its notes. */
export interface Division {
  readonly data: Data
  readonly train: Data
  readonly validation: Data
  readonly test: Data
  readonly duplicates: ReadonlyArray<Duplicate>
  readonly conflicts: ReadonlyArray<Conflict>
}

/** Notes about a split: rows left out, contradictions, classes that a part lacks. */
export const splitNotes = (
  { data, train, validation, test, duplicates, conflicts }: Division,
): ReadonlyArray<string> => {
  const { unit, source, labels } = data
  const notes: Array<string> = []
  if (duplicates.length > 0) {
    const rows = firstOf(duplicates.map(({ row, of }) => `${row} (as ${of})`), 5, ", ")
    notes.push(`left out, since an earlier row says the same: ${countOf(duplicates.length, "row")}, ${unit} ${rows}`)
  }
  if (conflicts.length > 0) {
    const texts = conflicts.map(({ rows, labels }) =>
      rows.map((row, i) => `${row} ${JSON.stringify(labels[i])}`).join(", ")
    )
    const what = data.kind.answers ?? "labels"
    notes.push(
      `kept in one part although their ${what} differ: ${countOf(conflicts.length, "text")}, ${unit} ${firstOf(texts)}`,
    )
  }
  const found = classesIn(data)
  const lacks = (part: Data): ReadonlyArray<string> => {
    const own = part.rows.length === 0 ? found : classesIn(part)
    return labels.filter((_, id) => found.has(id) && !own.has(id)).map((label) => JSON.stringify(label))
  }
  const untrained = lacks(train)
  if (untrained.length > 0) {
    const what = `${untrained.length} of ${labels.length} classes have no row to train on: ${
      firstOf(untrained, 5, ", ")
    }`
    notes.push(`${what}; take smaller parts, or another seed`)
  }
  for (const [name, part] of [["validation", validation], ["test", test]] as const) {
    const unjudged = lacks(part)
    if (unjudged.length === 0) continue
    notes.push(`${unjudged.length} of ${labels.length} classes have no row in ${name}: ${firstOf(unjudged, 5, ", ")}`)
  }
  return notes.map((note) => `${source}: ${note}`)
}

const classesIn = ({ kind, rows }: Data): ReadonlySet<number> => {
  const classes = new Set(rows.flatMap((row) => kind.classes?.(row) ?? []))
  classes.delete(MASKED)
  return classes
}
