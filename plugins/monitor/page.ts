/**
 * The page of a monitor: one HTML page without scripts that loads nothing and shows no text of a row.
 * @module
 */
import { formatCount, formatMetric } from "../../core/report/format.ts"
import { escapeHtml } from "../../core/report/html.ts"
import { type ReportSection, sectionContent } from "../../core/report/report_section.ts"
import { reportStyle } from "../../core/report/report_style.ts"
import type { Happened, MonitorEvent } from "./retrain/events.ts"
import type { Monitor, WindowKind, WindowReport } from "./watch/monitor.ts"

/** Content of the page. */
export interface MonitorPage {
  /** Its heading. */
  readonly title: string
  /** The log, or what a program kept of the windows; curves and tables are of these. */
  readonly events: ReadonlyArray<Happened | MonitorEvent>
  /** Thresholds of the monitor. */
  readonly thresholds: Monitor["thresholds"]
}

/** Windows that the table shows, the last ones. */
const SHOWN = 20

/** Makes the page as complete HTML. */
export function monitorPage({ title, events, thresholds }: MonitorPage): string {
  const reports = events.flatMap((event) => event.type === "window" ? [event.report] : [])
  const kinds = (["live", "judged"] as const).map((kind) => ({ kind, own: reports.filter((one) => one.kind === kind) }))
  const sections = kinds.filter(({ own }) => own.length > 0).flatMap(({ kind, own }) => [
    windowTable(kind, own, thresholds),
    ...curves(own, thresholds),
  ])
  const body = [...sections, retrainTable(events)].map((section) =>
    `<section>\n<h2>${escapeHtml(section.title)}</h2>\n${sectionContent(section)}\n</section>`
  )
  const alarms = reports.filter((report) => report.alarms.length > 0).length
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${reportStyle}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<p class="muted">Windows: ${formatCount(reports.length)}, with an alarm: ${formatCount(alarms)}</p>
</header>
${body.join("\n")}
</body>
</html>
`
}

const KINDS: Readonly<Record<WindowKind, string>> = { live: "Answers", judged: "Judged answers" }

function windowTable(
  kind: WindowKind,
  reports: ReadonlyArray<WindowReport>,
  thresholds: Monitor["thresholds"],
): ReportSection {
  const names = Object.keys(reports[0].values)
  const limit = (name: string) => Number.isFinite(thresholds[name]) ? formatMetric(thresholds[name]) : "–"
  return {
    title: KINDS[kind],
    text: `Windows of ${formatCount(reports[0].rows)} rows, the last ${Math.min(SHOWN, reports.length)}.`,
    table: {
      head: ["Window", "Alarms", ...names],
      rows: [
        ["threshold", "", ...names.map(limit)],
        ...reports.slice(-SHOWN).reverse().map(({ window, values, alarms }) => [
          formatCount(window),
          alarms.join(", "),
          ...names.map((name) => formatMetric(values[name])),
        ]),
      ],
    },
  }
}

/** A chart for each statistic, with its threshold. */
function curves(reports: ReadonlyArray<WindowReport>, thresholds: Monitor["thresholds"]): ReadonlyArray<ReportSection> {
  return Object.keys(reports[0].values).map((name) => {
    const points = reports.map(({ window, values }) => [window, values[name]] as const)
    const threshold = thresholds[name]
    return {
      title: name,
      chart: {
        title: name,
        xLabel: "window",
        series: [
          { name: "window", style: "train", points, dots: reports.length <= 60 },
          ...Number.isFinite(threshold)
            ? [{
              name: "threshold",
              style: "validation",
              points: points.map(([window]) => [window, threshold] as const),
              dots: false,
            }]
            : [],
        ],
      },
    }
  })
}

/** What a row of {@link retrainTable} says of an event; events that are not listed have none. */
const SAYS: { readonly [Type in Happened["type"]]?: (event: Extract<Happened, { readonly type: Type }>) => string } = {
  opened: ({ serving }) => `${serving.name} serves`,
  asked: ({ why }) => `asked for a retrain: ${why}`,
  started: ({ id, rows }) => `retrain ${id} starts on ${formatCount(rows)} judged rows`,
  scored: ({ id, heldOut, fresh, better }) =>
    `retrain ${id} is ${better ? "better" : "no better"}: ${formatMetric(heldOut.old)} to ${
      formatMetric(heldOut.new)
    } ` +
    `on held-out rows, ${formatMetric(fresh.old)} to ${formatMetric(fresh.new)} on new rows`,
  failed: ({ id, message }) => `retrain ${id} failed: ${message}`,
  swapped: ({ id }) => `the adapter of retrain ${id} serves`,
  kept: ({ id, live }) =>
    `it is kept: live accuracy ${formatMetric(live.old)} to ${formatMetric(live.new)}, retrain ${id}`,
  "rolling-back": ({ id, live }) =>
    `it goes: live accuracy ${formatMetric(live.old)} to ${formatMetric(live.new)}, retrain ${id}`,
  "rolled-back": ({ id }) => `the former adapter serves again, retrain ${id}`,
}

/** The retrains, newest event first. */
function retrainTable(events: MonitorPage["events"]): ReportSection {
  const rows = events.flatMap((event) => {
    const says = SAYS[event.type] as ((event: Happened) => string) | undefined
    return says === undefined ? [] : [["at" in event ? event.at : "", says(event)]]
  })
  const title = "Retrains"
  return rows.length === 0 ? { title, text: "None." } : { title, table: { head: ["Time", ""], rows: rows.reverse() } }
}
