/**
 * Merges axes that are contiguous for all operands.
 * @module
 */

import type { Instruction } from "./contract.ts"

/** A space with its views' strides after merging. */
export interface Collapsed {
  /** Extents; the last is the row that is walked innermost. Never empty. */
  readonly space: ReadonlyArray<number>
  /** For each view, the stride along each axis of `space`. */
  readonly strides: ReadonlyArray<ReadonlyArray<number>>
  /** For each original axis, the axis of `space` that holds exactly it; -1 where merged or of extent 1. */
  readonly axes: ReadonlyArray<number>
}

/**
 * Merges neighbouring axes and drops those of extent 1.
 *
 * @param views Strides of each view along the axes of `space`.
 * @param alone Axes that must stay by themselves.
 */
export const collapse = (
  space: ReadonlyArray<number>,
  views: ReadonlyArray<ReadonlyArray<number>>,
  alone: ReadonlySet<number>,
): Collapsed => {
  const merged: Array<number> = []
  const strides: Array<Array<number>> = views.map(() => [])
  const axes = space.map(() => -1)
  let open = false
  space.forEach((extent, axis) => {
    const fixed = alone.has(axis)
    if (extent === 1 && !fixed) return
    const joins = open && !fixed &&
      views.every((view, v) => strides[v][merged.length - 1] === view[axis] * extent)
    if (joins) {
      merged[merged.length - 1] *= extent
      views.forEach((view, v) => strides[v][merged.length - 1] = view[axis])
    } else {
      if (fixed) axes[axis] = merged.length
      merged.push(extent)
      views.forEach((view, v) => strides[v].push(view[axis]))
    }
    open = !fixed
  })
  if (merged.length === 0) {
    merged.push(1)
    strides.forEach((view) => view.push(0))
  }
  return { space: merged, strides, axes }
}

/** Text that is equal for equal shapes only; also for numbers that JSON has no text for. */
export const keyOf = (shape: unknown): string =>
  JSON.stringify(
    shape,
    (_, value) =>
      typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? `${value}/${1 / value}` : value,
  )

/** Such a text of a body and a shape; faster, since only constants can be other numbers. */
export const keyWith = (body: ReadonlyArray<Instruction>, shape: unknown): string => {
  let key = JSON.stringify([shape, body])
  body.forEach((step, number) => {
    if (step.op === "constant" && (!Number.isFinite(step.value) || Object.is(step.value, -0))) {
      key += ` ${number}:${step.value}/${1 / step.value}`
    }
  })
  return key
}
