import type { Data, DataRow } from "../data.ts"

/** A row that says what an earlier one says. */
export interface Duplicate {
  /** Where it stands: line or row of the source. */
  readonly row: number
  /** Where the row stands that was kept. */
  readonly of: number
  /** Its text. */
  readonly text: string
}

/** Rows that say of one text what cannot all be true. */
export interface Conflict {
  /** Where they stand. */
  readonly rows: ReadonlyArray<number>
  /** What each says: its label, or its tags with spaces between. */
  readonly labels: ReadonlyArray<string>
  /** The text. */
  readonly text: string
}

/** What {@link findDuplicates} gives. */
export interface Repetitions {
  /** Indices of the rows that are no duplicates. */
  readonly kept: ReadonlyArray<number>
  /** Rows that are. */
  readonly duplicates: ReadonlyArray<Duplicate>
  /** Texts that were given several labels; all their rows are kept. */
  readonly conflicts: ReadonlyArray<Conflict>
}

/**
 * Rows that repeat an earlier one, and texts that were given several labels. A prompt may well have several completions,
 * and code with another indentation is another example.
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
