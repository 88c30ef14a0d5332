/**
 * The loss while it falls, as SVG.
 * @module
 */
// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale"
// @ts-types="@types/d3-shape"
import { line } from "d3-shape"

/** A step and its loss. */
export type Point = readonly [step: number, loss: number]

const size = { height: 140, left: 44, right: 8, top: 14, bottom: 30 }

/** Running mean with a weight that starts small, so that the first values count in full. */
const smooth = (points: ReadonlyArray<Point>): ReadonlyArray<Point> => {
  let mean = 0
  return points.map(([step, loss], i) => {
    mean += (loss - mean) / Math.min(i + 1, 12)
    return [step, mean]
  })
}

/**
 * Loss of the steps and of the validation rows.
 *
 * @param width Width of the drawing in pixels, so that its letters keep their size.
 */
export function curve(steps: ReadonlyArray<Point>, validation: ReadonlyArray<Point>, width: number): string {
  const highest = [...steps, ...validation].reduce((most, [, loss]) => Math.max(most, loss), 0)
  const x = scaleLinear([0, Math.max(10, steps.length)], [size.left, width - size.right])
  const y = scaleLinear([0, highest], [size.height - size.bottom, size.top]).nice(4)
  const path = line<Point>(([step]) => x(step), ([, loss]) => y(loss)).digits(1)
  const across = y.ticks(4).map((value) => `
    <line class="grid" x1="${size.left}" x2="${width - size.right}" y1="${y(value)}" y2="${y(value)}" />
    <text x="${size.left - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`)
  const along = x.ticks(width / 90).filter(Number.isInteger).map((value) =>
    `<text x="${x(value)}" y="${size.height - 8}" text-anchor="middle">${value}</text>`
  )
  const dots = validation.map(([step, loss]) =>
    `<circle cx="${x(step)}" cy="${y(loss)}" r="4"><title>step ${step}: ${loss.toFixed(4)}</title></circle>`
  )
  return `
    <figcaption><span>training loss</span>${
    validation.length > 0 ? `<span class="validation">validation loss</span>` : ""
  }</figcaption>
    <svg viewBox="0 0 ${width} ${size.height}" aria-hidden="true">
      ${across.join("")}${along.join("")}
      <path class="raw" d="${path(steps)}" /><path d="${path(smooth(steps))}" />
      <path class="validation" d="${path(validation) ?? ""}" />${dots.join("")}
    </svg>`
}
