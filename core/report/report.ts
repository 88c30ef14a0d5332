/**
 * The report of a run: one HTML page without scripts that loads nothing.
 * @module
 */
import { type Metrics, RETAINED, type TrainEvent } from "../contracts/train_event.ts"
import type { ClassificationMetrics } from "../tasks/measures/classification_metrics.ts"
import { dataSection, type ReportDivision } from "./data_section.ts"
import { formatCount, formatMetric, formatSeconds } from "./format.ts"
import { cell, escapeHtml, heading, rowHeading, table } from "./html.ts"
import { lineChart, type Point } from "./line_chart.ts"
import { type ReportSection, sectionContent } from "./report_section.ts"
import { reportStyle } from "./report_style.ts"
import { type ReportSample, sampleTable } from "./sample_table.ts"
import { trainableParametersLine } from "./trainable_parameters.ts"

export type { ReportDivision, ReportSample, ReportSection }

/** One evaluation, such as the one before training. */
export interface ReportEvaluation {
  /** Heading of its column. */
  readonly name: string
  /** Its metrics. */
  readonly metrics: Metrics
}

/** Content of a report. Sections without data are left out. */
export interface ReportData {
  /** Heading of the page. */
  readonly title: string
  /** Further facts by name: data, task, split. Model, methods and backend come from the events. */
  readonly facts: Readonly<Record<string, string>>
  /** Events of the run. */
  readonly events: ReadonlyArray<TrainEvent>
  /** Columns of the evaluation table. */
  readonly evaluations: ReadonlyArray<ReportEvaluation>
  /** Metrics by class after training. */
  readonly classification?: ClassificationMetrics
  /** How the data was read and divided. */
  readonly division?: ReportDivision
  /** Predictions for evaluated rows. The page shows up to 50: the largest distances first, or wrong ones by probability. */
  readonly samples: ReadonlyArray<ReportSample>
  /** Further sections, before the configuration. Default: none. */
  readonly sections?: ReadonlyArray<ReportSection>
  /** The configuration, as JSON. */
  readonly config: unknown
}

const METRIC_NAMES: Readonly<Record<string, string>> = {
  loss: "Loss",
  perplexity: "Perplexity",
  accuracy: "Accuracy",
  macroF1: "Macro-F1",
  matthews: "Matthews correlation",
}

const STOP_REASONS = {
  "finished": "Finished",
  "early-stopping": "Stopped early",
  "interrupted": "Interrupted",
  "failed": "Failed",
}

type EventOf<Type> = Extract<TrainEvent, { readonly type: Type }>

const eventsOf = <Type extends TrainEvent["type"]>(
  events: ReadonlyArray<TrainEvent>,
  type: Type,
): ReadonlyArray<EventOf<Type>> => events.filter((event): event is EventOf<Type> => event.type === type)

const card = (content: string) => `<div class="card">${content}</div>`
const section = (title: string, content: string) =>
  content === "" ? "" : `<section>\n<h2>${title}</h2>\n${content}\n</section>\n`

function header({ title, facts, events }: ReportData): string {
  const [start] = eventsOf(events, "start")
  const stop = eventsOf(events, "stop").at(-1)
  const last = eventsOf(events, "step").at(-1)
  const list = Object.entries(facts)
  if (start !== undefined) {
    const methods = start.methods.length === 0 ? "full fine-tuning" : start.methods.join(", ")
    const examples = formatCount(start.trainExamples)
    list.unshift(["Model", start.model], ["Methods", methods], ["Backend", start.backend], [
      "Training examples",
      examples,
    ])
  }
  if (last !== undefined) {
    const pace = last.seconds > 0 ? `, ${formatCount(last.tokens / last.seconds)} a second on average` : ""
    list.push(["Tokens", `${formatCount(last.tokens)}${pace}`])
    for (const [name, value] of Object.entries(last.figures ?? {})) list.push([name, formatMetric(value)])
  }
  const terms = list.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("\n")
  const best = stop?.bestStep === undefined ? "" : `; the weights are those of step ${formatCount(stop.bestStep)}`
  const outcome = stop === undefined
    ? ""
    : `<p class="muted">${STOP_REASONS[stop.reason]} after step ${formatCount(stop.step)} in ` +
      `${formatSeconds(stop.seconds)}${best}</p>`
  const account = start === undefined
    ? ""
    : `<p><code>${trainableParametersLine(start.trainableParameters, start.totalParameters)}</code></p>`
  return `<header>\n<h1>${escapeHtml(title)}</h1>\n${outcome}\n${account}\n</header>\n` +
    (terms === "" ? "" : `<dl class="card">\n${terms}\n</dl>\n`)
}

function evaluationTable(evaluations: ReadonlyArray<ReportEvaluation>): string {
  const found = new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)))
  const known = Object.keys(METRIC_NAMES).filter((name) => found.has(name))
  const names = [...new Set([...known, ...found])]
  if (names.length === 0) return ""
  const rows = names.map((name) => {
    const values = evaluations.map(({ metrics }) => cell(name in metrics ? formatMetric(metrics[name]) : "–"))
    return rowHeading(METRIC_NAMES[name] ?? name) + values.join("")
  })
  return card(table(["<th></th>", ...evaluations.map(({ name }) => heading(name))], rows))
}

/** Scores on old rows before and after the run. */
function forgettingTable(events: ReadonlyArray<TrainEvent>): string {
  const judged = eventsOf(events, "evaluation").filter(({ split }) => split.startsWith(RETAINED))
  const before = judged.filter(({ step }) => step === 0)
  const rows = before.flatMap(({ split, metrics }) => {
    const after = judged.findLast((event) => event.split === split && event.step > 0)?.metrics
    return Object.entries(after ?? {}).map(([name, value]) =>
      rowHeading(`${split.slice(RETAINED.length)}: ${METRIC_NAMES[name] ?? name}`) +
      [metrics[name], value, value - metrics[name]].map((value) => cell(formatMetric(value))).join("")
    )
  })
  return rows.length === 0
    ? ""
    : card(table(["<th>Old rows</th>", ...["Before", "After", "Change"].map(heading)], rows))
}

/** Centered moving average over 1/25 of the run. */
function smooth(points: ReadonlyArray<Point>): Array<Point> {
  const reach = Math.floor(points.length / 50)
  const sums = [0]
  for (const [, y] of points) sums.push(sums.at(-1)! + y)
  return points.map(([x], index) => {
    const [from, to] = [Math.max(0, index - reach), Math.min(points.length, index + reach + 1)]
    return [x, (sums[to] - sums[from]) / (to - from)]
  })
}

function charts(events: ReadonlyArray<TrainEvent>): string {
  const steps = eventsOf(events, "step")
  const losses = steps.map(({ step, loss }): Point => [step, loss])
  const rates = steps.map(({ step, learningRate }): Point => [step, learningRate])
  const validation = eventsOf(events, "evaluation")
    .filter(({ split, metrics }) => split === "validation" && "loss" in metrics)
    .map(({ step, metrics }): Point => [step, metrics.loss])
  const loss = lineChart("Loss", "step", [
    { style: "raw", points: losses, dots: false },
    { name: "training, smoothed", style: "train", points: smooth(losses), dots: false },
    { name: "validation", style: "validation", points: validation, dots: true },
  ])
  const rate = lineChart("Learning rate", "step", [{ style: "rate", points: rates, dots: false }])
  return loss + rate === "" ? "" : `<div class="charts">\n${loss}\n${rate}\n</div>`
}

function classes({ perClass, confusion }: ClassificationMetrics): string {
  const scores = table(
    ["<th>Class</th>", ...["Precision", "Recall", "F1", "Support"].map(heading)],
    perClass.map(({ label, precision, recall, f1, support }) =>
      rowHeading(label) + [precision, recall, f1].map((value) => cell(formatMetric(value))).join("") +
      cell(formatCount(support))
    ),
  )
  const rows = confusion.map((counts, row) =>
    rowHeading(perClass[row].label) + counts.map((count, column) => {
      const share = count / Math.max(1, perClass[row].support)
      const colour = row === column ? "--train" : "--bad"
      const shade = `background:color-mix(in srgb, var(${colour}) ${Math.round(50 * share)}%, transparent)`
      return `<td style="${shade}" title="${(100 * share).toFixed(1)} % of the class">${formatCount(count)}</td>`
    }).join("")
  )
  const columns = perClass.map(({ label }) => `<th scope="col">${escapeHtml(label)}</th>`)
  const matrix = table([`<th>expected \\ predicted</th>`, ...columns], rows)
  return `<div class="classes">\n${card(scores)}\n<div class="card confusion">${matrix}</div>\n</div>`
}

function warnings(events: ReadonlyArray<TrainEvent>): string {
  const texts = eventsOf(events, "message").filter(({ level }) => level === "warning")
  return texts.length === 0 ? "" : card(texts.map(({ text }) => `<p>${escapeHtml(text)}</p>`).join("\n"))
}

/** Makes the report as a complete HTML page. */
export function report(data: ReportData): string {
  const { title, events, evaluations, classification, samples, division, config } = data
  const { sections: further = [] } = data
  const sections = [
    section("Warnings", warnings(events)),
    section("Evaluation", evaluationTable(evaluations)),
    section("Forgetting", forgettingTable(events)),
    section("Training", charts(events)),
    section("Classes", classification === undefined ? "" : classes(classification)),
    section("Sample predictions", sampleTable(samples)),
    section("Data", dataSection(division)),
    ...further.map((one) => section(escapeHtml(one.title), sectionContent(one))),
    section("Configuration", card(`<pre>${escapeHtml(JSON.stringify(config, null, 2) ?? "")}</pre>`)),
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${reportStyle}</style>
</head>
<body>
${header(data)}${sections.join("")}</body>
</html>
`
}
