import { collapse } from "../collapse.ts"
import type { ColumnsCall } from "./call.ts"

/** A call's axes after merging, the columns last. */
export interface MergedColumns {
  /** Extents of the kept axes. */
  readonly outer: ReadonlyArray<number>
  /** Extents of the reduced axes. */
  readonly reduced: ReadonlyArray<number>
  /** Strides of each input along [...outer, ...reduced, columns]. */
  readonly strides: ReadonlyArray<ReadonlyArray<number>>
  /** Strides of the output along `outer`. */
  readonly target: ReadonlyArray<number>
  /** For each original axis, the merged one that holds exactly it; -1 where merged or of extent 1. */
  readonly axes: ReadonlyArray<number>
}

/**
 * Merges the kept axes, and the reduced ones.
 *
 * @param output Strides of the output along the kept axes.
 */
export const mergeColumns = (
  { space, outerAxes, body, inputs }: ColumnsCall,
  output: ReadonlyArray<number>,
): MergedColumns => {
  const last = space.length - 1
  const indexed = body.flatMap((step) => step.op === "index" ? [step.axis] : [])
  const part = (from: number, to: number, views: ReadonlyArray<ReadonlyArray<number>>) =>
    collapse(
      space.slice(from, to),
      views.map((view) => view.slice(from, to)),
      new Set(indexed.filter((axis) => axis >= from && axis < to).map((axis) => axis - from)),
    )
  const strides = inputs.map((view) => view.strides)
  const outer = part(0, outerAxes, [...strides, output]), reduced = part(outerAxes, last, strides)
  return {
    outer: outer.space,
    reduced: reduced.space,
    strides: inputs.map((view, v) => [...outer.strides[v], ...reduced.strides[v], view.strides[last]]),
    target: outer.strides[inputs.length],
    axes: [
      ...outer.axes,
      ...reduced.axes.map((axis) => axis < 0 ? axis : outer.space.length + axis),
      outer.space.length + reduced.space.length,
    ],
  }
}
