import type { Data, DataRow } from "../data.ts"

/** A row that repeats an earlier one. */
export interface Duplicate {
  /** Line or row of the source. */
  readonly row: number
  /** Line or row of the one that was kept. */
  readonly of: number
  /** Its text. */
  readonly text: string
}

/** Rows about one text whose answers contradict each other. */
export interface Conflict {
  /** Lines or rows of the source. */
  readonly rows: ReadonlyArray<number>
  /** The answer of each: its label, or its tags with spaces between. */
  readonly labels: ReadonlyArray<string>
  /** The text. */
  readonly text: string
}

/** Result of {@link findDuplicates}. */
export interface Repetitions {
  /** Indices of the rows that are not duplicates. */
  readonly kept: ReadonlyArray<number>
  /** The duplicates. */
  readonly duplicates: ReadonlyArray<Duplicate>
  /** Texts with contradicting answers; all their rows are kept. */
  readonly conflicts: ReadonlyArray<Conflict>
}

/**
 * Finds rows that repeat an earlier one, and texts with contradicting answers. A prompt may have several completions, and code
 * with another indentation is another example.
 */
export const findDuplicates = <Row extends DataRow>({ kind, rows, labels }: Data<Row>): Repetitions => {
  const about = new Map<string, Map<string, number>>()
  const kept: Array<number> = []
  const duplicates: Array<Duplicate> = []
  const textOf = (row: Row) => kind.texts(row).join("")
  rows.forEach((row, index) => {
    const key = kind.about(row)
    const own = about.get(key) ?? about.set(key, new Map()).get(key)!
    const said = JSON.stringify(kind.says(row))
    const earlier = own.get(said)
    if (earlier === undefined) {
      own.set(said, index)
      kept.push(index)
    } else duplicates.push({ row: row.row, of: rows[earlier].row, text: textOf(row) })
  })
  const conflicts = [...about.values()].flatMap((own): ReadonlyArray<Conflict> => {
    const several = [...own.values()].map((index) => rows[index])
    const said = several.length > 1 ? kind.conflict?.(several, labels) : undefined
    return said === undefined ? [] : [{ rows: several.map(({ row }) => row), labels: said, text: textOf(several[0]) }]
  })
  return { kept, duplicates, conflicts }
}
