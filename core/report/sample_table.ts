import { formatCount } from "./format.ts"
import { cell, escapeHtml, heading, table } from "./html.ts"

/** One example with its prediction. */
export interface ReportSample {
  /** Input of the model. */
  readonly text: string
  /** Correct answer. */
  readonly expected: string
  /** Predicted answer. */
  readonly predicted: string
  /** Probability of the prediction, 0 to 1; absent if the task has none. */
  readonly probability?: number
  /** Distance between prediction and correct answer; absent if a prediction is either right or wrong. */
  readonly distance?: number
}

/** Maximum number of samples on a page. */
const SHOWN = 50

const isWrong = ({ expected, predicted, distance }: ReportSample) => distance === undefined && predicted !== expected

/** Largest distance first, then wrong before right, then by probability; equals keep their order. */
const byInterest = (samples: ReadonlyArray<ReportSample>): ReadonlyArray<ReportSample> =>
  samples.toSorted((a, b) =>
    (b.distance ?? 0) - (a.distance ?? 0) || Number(isWrong(b)) - Number(isWrong(a)) ||
    (b.probability ?? -1) - (a.probability ?? -1)
  )

/** The most interesting samples; empty if there are none. */
export function sampleTable(samples: ReadonlyArray<ReportSample>): string {
  if (samples.length === 0) return ""
  const shown = byInterest(samples).slice(0, SHOWN)
  const scored = samples[0].distance !== undefined
  const total = formatCount(samples.length)
  const counts = scored ? `${total} are scored` : `${formatCount(samples.filter(isWrong).length)} of ${total} are wrong`
  const part = shown.length < samples.length ? `; ${formatCount(shown.length)} are shown` : ""
  const order = scored ? "the furthest off come first" : "wrong ones come first, the surest on top"
  const rows = shown.map((sample) => {
    const { text, expected, predicted, probability } = sample
    const [style, mark] = scored ? ["", ""] : isWrong(sample) ? ["bad", "✗ "] : ["good", "✓ "]
    return `<td class="text">${escapeHtml(text)}</td><td>${escapeHtml(expected)}</td>` +
      `<td class="${style}">${mark}${escapeHtml(predicted)}</td>` +
      cell(probability === undefined ? "–" : `${(100 * probability).toFixed(1)} %`)
  })
  const head = ["<th>Text</th>", "<th>Expected</th>", "<th>Predicted</th>", heading("Probability")]
  return `<p class="muted">${counts}${part}; ${order}</p>\n<div class="card">${table(head, rows)}</div>`
}
