/**
 * Reductions of few long rows as two calls: pieces of the rows, then their partial results.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import { neededSteps, reductionDepths } from "../analysis.ts"
import type { Instruction, View } from "../contract.ts"
import type { RowsCall } from "./call.ts"

/** Fewest places of a piece, and most pieces. */
const PIECE = 2048, PIECES = 256
/** From this number of rows on, the device is busy without pieces. */
const ENOUGH_ROWS = 64

/**
 * Cuts a call, by its shape alone; undefined if that is not possible or not faster.
 *
 * @param scratch Makes a buffer of f32.
 */
export const cutLongRows = (
  call: RowsCall,
  scratch: (elements: number) => number,
): readonly [RowsCall, RowsCall] | undefined => {
  const { space, body, inputs, outputs } = call
  const last = space.length - 1, columns = space[last], outer = space.slice(0, last)
  const rows = sizeOf(outer)
  const depths = reductionDepths(body)
  const needed = neededSteps(body, outputs.map(({ step }) => step), (step) => body[step].op === "reduce")
  const reductions = needed.filter((step) => body[step].op === "reduce")
  if (
    rows === 0 || rows >= ENOUGH_ROWS || columns < 2 * PIECE || reductions.length === 0 ||
    outputs.some(({ view }) => view.shape[last] !== 1) ||
    needed.some((step) => depths[step] > 1) || reductions.some((step) => body[step].dtype !== "f32") ||
    body.some((step) => step.op === "index" && step.axis === last)
  ) return undefined
  let pieces = Math.min(PIECES, Math.floor(columns / PIECE))
  while (columns % pieces !== 0) pieces--
  if (pieces < 4) return undefined

  const cut = [...outer, pieces, columns / pieces], results = [...outer, pieces]
  const partial = scratch(reductions.length * rows * pieces)
  const partOf = (i: number): View => ({
    buffer: partial,
    offset: i * rows * pieces,
    shape: results,
    strides: stridesOf(results),
  })
  const joined: Instruction[] = []
  const place = new Map<number, number>()
  for (const number of needed) {
    const step = body[number]
    if (step.op === "reduce") {
      const load = joined.push({
        op: "load",
        operand: inputs.length + reductions.indexOf(number),
        dtype: step.dtype,
      }) - 1
      joined.push({ ...step, args: [load] })
    } else if ("args" in step) joined.push({ ...step, args: step.args.map((argument) => place.get(argument)!) })
    else joined.push(step)
    place.set(number, joined.length - 1)
  }
  return [
    {
      kernel: "rows",
      space: cut,
      body,
      inputs: inputs.map((view) => ({
        ...view,
        shape: cut,
        strides: [...view.strides.slice(0, last), view.strides[last] * columns / pieces, view.strides[last]],
      })),
      outputs: reductions.map((step, i) => {
        const { shape, strides, ...rest } = partOf(i)
        return { step, view: { ...rest, shape: [...shape, 1], strides: [...strides, 1] } }
      }),
    },
    {
      kernel: "rows",
      space: results,
      body: joined,
      inputs: [...inputs.map((view) => ({ ...view, shape: results })), ...reductions.map((_, i) => partOf(i))],
      outputs: outputs.map(({ step, view }) => ({ step: place.get(step)!, view })),
    },
  ]
}
