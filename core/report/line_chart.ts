/**
 * Line charts as inline SVG, coloured by the style sheet of the page.
 * @module
 */
// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale"
// @ts-types="@types/d3-shape"
import { line } from "d3-shape"
import { escapeHtml } from "./html.ts"

/** A point in the units of the axes. */
export type Point = readonly [x: number, y: number]

/** One line. */
export interface Series {
  /** Its name in the legend; without a name it is not listed. */
  readonly name?: string
  /** CSS class. */
  readonly style: string
  /** From left to right. */
  readonly points: ReadonlyArray<Point>
  /** Whether each point gets a dot with its values. */
  readonly dots: boolean
}

/** Size of the drawing and its margins, in SVG units. */
const size = { width: 520, height: 240, top: 12, right: 14, bottom: 42, left: 58 }
/** More points per line are not visible at this size. */
const maxPoints = 600

function extent(values: ReadonlyArray<number>): [number, number] {
  return values.reduce<[number, number]>(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [
    Infinity,
    -Infinity,
  ])
}

/** At most {@link maxPoints} points, as means of groups. */
function thin(points: ReadonlyArray<Point>): ReadonlyArray<Point> {
  const stride = Math.ceil(points.length / maxPoints)
  if (stride <= 1) return points
  return Array.from({ length: Math.ceil(points.length / stride) }, (_, index) => {
    const group = points.slice(index * stride, (index + 1) * stride)
    const mean = (axis: 0 | 1) => group.reduce((total, point) => total + point[axis], 0) / group.length
    return [mean(0), mean(1)]
  })
}

/** One chart with its legend; empty if no series has points. */
export function lineChart(title: string, xLabel: string, series: ReadonlyArray<Series>): string {
  const drawn = series.map((one) => ({ ...one, points: thin(one.points) })).filter(({ points }) => points.length > 0)
  const all = drawn.flatMap(({ points }) => points)
  if (all.length === 0) return ""
  const x = scaleLinear().domain(extent(all.map(([value]) => value))).range([size.left, size.width - size.right])
  const y = scaleLinear().domain(extent(all.map(([, value]) => value))).nice(5)
    .range([size.height - size.bottom, size.top])
  const path = line<Point>().x((point) => x(point[0])).y((point) => y(point[1])).digits(1)
  const round = (value: number) => Math.round(value * 10) / 10
  const [bottom, formatX, formatY] = [size.height - size.bottom, x.tickFormat(6), y.tickFormat(5, "~g")]

  const grid = y.ticks(5).map((tick) =>
    `<line x1="${size.left}" x2="${size.width - size.right}" y1="${round(y(tick))}" y2="${round(y(tick))}"/>` +
    `<text x="${size.left - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${formatY(tick)}</text>`
  )
  const marks = x.ticks(6).filter(Number.isInteger).map((tick) =>
    `<text x="${round(x(tick))}" y="${bottom + 18}" text-anchor="middle">${formatX(tick)}</text>`
  )
  const lines = drawn.map(({ name, style, points, dots }) => {
    const circles = dots
      ? points.map((point) =>
        `<circle cx="${round(x(point[0]))}" cy="${round(y(point[1]))}" r="3">` +
        `<title>${escapeHtml(name ?? title)} ${Number(point[1].toPrecision(6))} at ${point[0]}</title></circle>`
      )
      : []
    return `<g class="${style}"><path d="${path(points)}"/>${circles.join("")}</g>`
  })
  const legend = drawn.flatMap(({ name, style }) =>
    name === undefined ? [] : [`<span class="${style}"><i></i>${escapeHtml(name)}</span>`]
  )
  return `<figure>
<figcaption><b>${escapeHtml(title)}</b>${legend.join("")}</figcaption>
<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeHtml(title)}">
<g class="grid">${grid.join("")}${marks.join("")}
<text x="${(size.left + size.width - size.right) / 2}" y="${size.height - 6}" text-anchor="middle">${
    escapeHtml(xLabel)
  }</text></g>
${lines.join("\n")}
</svg>
</figure>`
}
