/**
 * The report of a run: one HTML page that needs nothing else, for a person to read, print or send on.
 * @module
 */
import type { Metrics, TrainEvent } from "../contracts/train_event.ts"
import { dataSection, type ReportDivision } from "./data_section.ts"
import { escapeHtml } from "./html.ts"
import { lineChart, type Point } from "./line_chart.ts"
import { reportStyle } from "./report_style.ts"
import { formatCount, formatMetric, formatSeconds } from "./format.ts"
import type { ClassificationMetrics } from "../tasks/measures/classification_metrics.ts"
import { trainableParametersLine } from "./trainable_parameters.ts"

export type { ReportDivision }

/** One evaluation, such as that before training. */
export interface ReportEvaluation {
  /** Heading of its column. */
  readonly name: string
  /** What was found. */
  readonly metrics: Metrics
}

/** One example with what the model made of it. */
export interface ReportSample {
  /** What the model read. */
  readonly text: string
  /** What it should have said. */
  readonly expected: string
  /** What it said. */
  readonly predicted: string
  /** Probability that it gave to what it said, 0 to 1; absent where there is none. */
  readonly probability?: number
  /** How far what it said is from what it should have said; absent where that is either right or wrong. */
  readonly distance?: number
}

/** What a report tells. A part without data is left out. */
export interface ReportData {
  /** Heading of the page. */
  readonly title: string
  /** What else is to be known of the run, by name: data, task, split. Model, methods and backend come from the events. */
  readonly facts: Readonly<Record<string, string>>
  /** The events of the run. */
  readonly events: ReadonlyArray<TrainEvent>
  /** Columns of the evaluation table. */
  readonly evaluations: ReadonlyArray<ReportEvaluation>
  /** How the classes were told apart in the end. */
  readonly classification?: ClassificationMetrics
  /** How the data was read and divided. */
  readonly division?: ReportDivision
  /** What was judged. The page shows {@link SHOWN} of it: the furthest off first, or wrong ones, the surest on top. */
  readonly samples: ReadonlyArray<ReportSample>
  /** The configuration, as JSON. */
  readonly config: unknown
}

/** Most samples that a page shows. */
export const SHOWN: number = 50

/** Names of metrics for people; another metric stands under its own name. */
const metricNames: Readonly<Record<string, string>> = {
  loss: "Loss",
  perplexity: "Perplexity",
  accuracy: "Accuracy",
  macroF1: "Macro-F1",
  matthews: "Matthews correlation",
}

const stopReasons = {
  "finished": "Finished",
  "early-stopping": "Stopped early",
  "interrupted": "Interrupted",
  "failed": "Failed",
}

function eventsOf<Type extends TrainEvent["type"]>(
  events: ReadonlyArray<TrainEvent>,
  type: Type,
): Array<Extract<TrainEvent, { readonly type: Type }>> {
  return events.filter((event): event is Extract<TrainEvent, { readonly type: Type }> => event.type === type)
}

function section(title: string, content: string): string {
  return content === "" ? "" : `<section>\n<h2>${title}</h2>\n${content}\n</section>\n`
}

const cell = (value: string) => `<td class="number">${value}</td>`
const heading = (name: string) => `<th class="number" scope="col">${escapeHtml(name)}</th>`
const rowHeading = (name: string) => `<th scope="row">${escapeHtml(name)}</th>`

function table(head: ReadonlyArray<string>, rows: ReadonlyArray<string>): string {
  const body = rows.map((row) => `<tr>${row}</tr>`).join("\n")
  return `<table>\n<thead><tr>${head.join("")}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`
}

function header({ title, facts, events }: ReportData): string {
  const [start] = eventsOf(events, "start")
  const stop = eventsOf(events, "stop").at(-1)
  const lastStep = eventsOf(events, "step").at(-1)
  const list: Array<readonly [string, string]> = []
  if (start !== undefined) {
    list.push(["Model", start.model])
    list.push(["Methods", start.methods.length === 0 ? "full fine-tuning" : start.methods.join(", ")])
    list.push(["Backend", start.backend], ["Training examples", formatCount(start.trainExamples)])
  }
  list.push(...Object.entries(facts))
  if (lastStep !== undefined) {
    const pace = lastStep.seconds > 0 ? `, ${formatCount(lastStep.tokens / lastStep.seconds)} a second on average` : ""
    list.push(["Tokens", `${formatCount(lastStep.tokens)}${pace}`])
  }
  const terms = list.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("\n")
  const outcome = stop === undefined
    ? ""
    : `<p class="muted">${stopReasons[stop.reason]} after step ${formatCount(stop.step)} in ` +
      `${formatSeconds(stop.seconds)}${
        stop.bestStep === undefined ? "" : `; the weights are those of step ${formatCount(stop.bestStep)}`
      }</p>`
  const account = start === undefined
    ? ""
    : `<p><code>${trainableParametersLine(start.trainableParameters, start.totalParameters)}</code></p>`
  return `<header>\n<h1>${escapeHtml(title)}</h1>\n${outcome}\n${account}\n</header>\n` +
    (terms === "" ? "" : `<dl class="card">\n${terms}\n</dl>\n`)
}

function evaluationTable(evaluations: ReadonlyArray<ReportEvaluation>): string {
  const found = new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)))
  const known = Object.keys(metricNames)
  const names = [...known.filter((name) => found.has(name)), ...[...found].filter((name) => !known.includes(name))]
  if (names.length === 0) return ""
  const rows = names.map((name) => {
    const values = evaluations.map(({ metrics }) => cell(name in metrics ? formatMetric(metrics[name]) : "–"))
    return rowHeading(metricNames[name] ?? name) + values.join("")
  })
  return `<div class="card">${table(["<th></th>", ...evaluations.map(({ name }) => heading(name))], rows)}</div>`
}

/** Mean of the neighbours within a fiftieth of the run on either side: it shows the course, and does not lag. */
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
  const matrix = table(
    [`<th>expected \\ predicted</th>`, ...perClass.map(({ label }) => `<th scope="col">${escapeHtml(label)}</th>`)],
    rows,
  )
  return `<div class="classes">\n<div class="card">${scores}</div>\n<div class="card confusion">${matrix}</div>\n</div>`
}

const isWrong = ({ expected, predicted, distance }: ReportSample) => distance === undefined && predicted !== expected

/** The furthest off first; else wrong ones first, the surest on top; those without a probability last, otherwise in their order. */
function byInterest(samples: ReadonlyArray<ReportSample>): ReadonlyArray<ReportSample> {
  return samples.toSorted((a, b) =>
    (b.distance ?? 0) - (a.distance ?? 0) || Number(isWrong(b)) - Number(isWrong(a)) ||
    (b.probability ?? -1) - (a.probability ?? -1)
  )
}

function sampleTable(samples: ReadonlyArray<ReportSample>): string {
  if (samples.length === 0) return ""
  const shown = byInterest(samples).slice(0, SHOWN)
  const scored = samples[0].distance !== undefined
  const judged = scored ? "" : `${formatCount(samples.filter(isWrong).length)} of `
  const counts = `${judged}${formatCount(samples.length)} are ${scored ? "scored" : "wrong"}` +
    (shown.length < samples.length ? `; ${formatCount(shown.length)} are shown` : "")
  const rows = shown.map((sample) => {
    const { text, expected, predicted, probability } = sample
    const [style, mark] = scored ? ["", ""] : isWrong(sample) ? ["bad", "✗ "] : ["good", "✓ "]
    return `<td class="text">${escapeHtml(text)}</td><td>${escapeHtml(expected)}</td>` +
      `<td class="${style}">${mark}${escapeHtml(predicted)}</td>` +
      cell(probability === undefined ? "–" : `${(100 * probability).toFixed(1)} %`)
  })
  const head = ["<th>Text</th>", "<th>Expected</th>", "<th>Predicted</th>", heading("Probability")]
  const order = scored ? "the furthest off come first" : "wrong ones come first, the surest on top"
  return `<p class="muted">${counts}; ${order}</p>\n` +
    `<div class="card">${table(head, rows)}</div>`
}

function messages(events: ReadonlyArray<TrainEvent>): string {
  const warnings = eventsOf(events, "message").filter(({ level }) => level === "warning")
  if (warnings.length === 0) return ""
  return `<div class="card">${warnings.map(({ text }) => `<p>${escapeHtml(text)}</p>`).join("\n")}</div>`
}

/** Writes the report: a whole HTML page without scripts, in which nothing from outside is loaded. */
export function report(data: ReportData): string {
  const config = `<div class="card"><pre>${escapeHtml(JSON.stringify(data.config, null, 2) ?? "")}</pre></div>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(data.title)}</title>
<style>${reportStyle}</style>
</head>
<body>
${header(data)}${section("Warnings", messages(data.events))}${
    section("Evaluation", evaluationTable(data.evaluations))
  }${section("Training", charts(data.events))}${
    section("Classes", data.classification === undefined ? "" : classes(data.classification))
  }${section("Sample predictions", sampleTable(data.samples))}${section("Data", dataSection(data.division))}${
    section("Configuration", config)
  }</body>
</html>
`
}
