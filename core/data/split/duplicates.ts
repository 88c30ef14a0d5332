import type { Data, LabeledRow, TaggedRow, TextRow } from "../dataset.ts"
import { MASKED } from "../masked.ts"

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

/** Text as near-duplicates are told by: lower case, white space collapsed. */
export const normalizeText = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim()

/** A text to be classified, or plain: case and spaces within a line do not count, lines and their indentation do. */
const textKey = (text: string): string =>
  text.replace(/^(?:[^\S\n]*\n)+/, "").replace(/^ (?=\S)/, "").trimEnd().split(/\r\n?|\n/)
    .map((line) => /^[^\S\n]*/.exec(line)![0] + normalizeText(line)).join("\n")

/** A prompt or a completion: every character counts, but not how lines end. */
const exactKey = (text: string): string => text.replace(/\r\n?/g, "\n")

/** What a row is about, and what it says of that: rows that agree in both are duplicates. */
const keysOf = (data: Data, index: number): readonly [about: string, says: unknown] => {
  if (data.kind === "completion") {
    const { prompt, completion } = data.rows[index]
    return [exactKey(prompt), exactKey(completion)]
  }
  if (data.kind === "tagged") return [JSON.stringify(data.rows[index].words), data.rows[index].labels]
  const row = data.rows[index]
  return [textKey((row as LabeledRow | TextRow).text), "label" in row ? row.label : ""]
}

/**
 * Rows that repeat an earlier one, and texts that were given several labels. A prompt may well have several completions,
 * and code with another indentation is another example.
 */
export const findDuplicates = (data: Data): Repetitions => {
  const about = new Map<string, Map<string, number>>()
  const kept: Array<number> = []
  const duplicates: Array<Duplicate> = []
  data.rows.forEach((row, index) => {
    const [key, says] = keysOf(data, index)
    const own = about.get(key) ?? about.set(key, new Map()).get(key)!
    const said = JSON.stringify(says)
    const earlier = own.get(said)
    if (earlier === undefined) {
      own.set(said, index)
      kept.push(index)
    } else duplicates.push({ row: row.row, of: data.rows[earlier].row, text: textOf(row) })
  })
  const conflicts = [...about.values()].flatMap((own) => {
    const indices = [...own.values()]
    return indices.length > 1 && contradict(data, indices) ? [conflictOf(data, indices)] : []
  })
  return { kept, duplicates, conflicts }
}

const textOf = (row: Data["rows"][number]): string => "text" in row ? row.text : `${row.prompt}${row.completion}`

/** Whether rows of one text cannot all be right: words without a label in one row may have one in another. */
const contradict = (data: Data, indices: ReadonlyArray<number>): boolean => {
  if (data.kind === "classification") return true
  if (data.kind !== "tagged") return false
  const tags = indices.map((index) => data.rows[index].labels)
  return tags[0].some((_, word) => new Set(tags.map((own) => own[word]).filter((id) => id !== MASKED)).size > 1)
}

const conflictOf = (data: Data, indices: ReadonlyArray<number>): Conflict => {
  const says = (index: number): string => {
    const row = data.rows[index]
    if ("label" in row) return data.labels[row.label]
    return (row as TaggedRow).labels.map((id) => data.labels[id] ?? "_").join(" ")
  }
  const rows = indices.map((index) => data.rows[index])
  return { rows: rows.map(({ row }) => row), labels: indices.map(says), text: textOf(rows[0]) }
}
