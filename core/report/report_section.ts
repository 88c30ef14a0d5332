import { escapeHtml, heading, rowHeading, table } from "./html.ts"
import { lineChart, type Series } from "./line_chart.ts"

/** A section that a program adds to the report. Its parts are plain text. */
export interface ReportSection {
  /** Its heading. */
  readonly title: string
  /** A paragraph. */
  readonly text?: string
  /** A table; the first cell of a row is its name. */
  readonly table?: { readonly head: ReadonlyArray<string>; readonly rows: ReadonlyArray<ReadonlyArray<string>> }
  /** A line chart. The styles of its series are `"train"`, `"validation"`, `"rate"`. */
  readonly chart?: { readonly title: string; readonly xLabel: string; readonly series: ReadonlyArray<Series> }
}

/** What stands below the heading of a section. */
export function sectionContent({ text, table: given, chart }: ReportSection): string {
  const rows = given?.rows.map(([name, ...cells]) =>
    rowHeading(name) + cells.map((value) => `<td class="number">${escapeHtml(value)}</td>`).join("")
  )
  return [
    text === undefined ? "" : `<p>${escapeHtml(text)}</p>`,
    given === undefined
      ? ""
      : `<div class="card">${
        table([`<th>${escapeHtml(given.head[0])}</th>`, ...given.head.slice(1).map(heading)], rows!)
      }</div>`,
    chart === undefined ? "" : `<div class="charts">\n${lineChart(chart.title, chart.xLabel, chart.series)}\n</div>`,
  ].join("\n")
}
