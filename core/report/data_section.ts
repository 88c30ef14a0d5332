import type { DataInfo } from "../data/data.ts"
import type { Conflict, Duplicate } from "../data/split/duplicates.ts"
import { escapeHtml } from "./html.ts"

/** How the data of a run was read and divided, as `Dataset.split` returns it. */
export interface ReportDivision {
  /** Notes, and the unit of row numbers. */
  readonly train: Pick<DataInfo, "unit" | "notes">
  /** Removed rows. */
  readonly duplicates: ReadonlyArray<Duplicate>
  /** Texts with several labels. */
  readonly conflicts: ReadonlyArray<Conflict>
}

/** Maximum number of entries listed with their text; of the others only row numbers are listed. */
const MOST_LISTED = 1000

/** Notes, removed rows and contradicting rows; empty if there are none. */
export function dataSection(division: ReportDivision | undefined): string {
  if (division === undefined) return ""
  const { train: { unit, notes = [] }, duplicates, conflicts } = division
  const said = notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("\n")
  const removed = list(
    `Left out, since an earlier row says the same: ${duplicates.length} row${plural(duplicates.length)}`,
    duplicates.map(({ row, of, text }) => [`${unit} ${row} as ${of}`, text]),
  )
  const contradicting = list(
    `Kept in one part although their labels differ: ${conflicts.length} text${plural(conflicts.length)}`,
    conflicts.map(({ rows, labels, text }) => {
      const where = rows.map((row, i) => `${unit} ${row} ${JSON.stringify(labels[i])}`)
      return [where.join(", "), text]
    }),
  )
  const content = [said, contradicting, removed].filter((part) => part !== "").join("\n")
  return content === "" ? "" : `<div class="card">\n${content}\n</div>`
}

function list(title: string, entries: ReadonlyArray<readonly [where: string, text: string]>): string {
  if (entries.length === 0) return ""
  const items = entries.slice(0, MOST_LISTED).map(([where, text]) =>
    `<li>${escapeHtml(where)}: <span class="muted">${escapeHtml(shortened(text))}</span></li>`
  )
  const rest = entries.slice(MOST_LISTED).map(([where]) => escapeHtml(where)).join("; ")
  return `<details>\n<summary>${title}</summary>\n<ul class="rows">\n${items.join("\n")}\n</ul>\n` +
    `${rest === "" ? "" : `<p>${rest}</p>\n`}</details>`
}

const plural = (count: number) => (count === 1 ? "" : "s")

function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
