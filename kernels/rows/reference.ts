import { evaluateStep, type ReferenceBuffers } from "../body_reference.ts"
import { forEachPlace } from "../view.ts"
import type { RowsCall } from "./call.ts"

/** Carries out a `rows` call on float64 buffers, in place. */
export const rowsReference = (call: RowsCall, buffers: ReferenceBuffers): void => {
  const last = call.space.length - 1
  const columns = call.space[last]
  /** An empty row still has its per-row values. */
  const places = Math.max(columns, 1)
  const views = [...call.inputs, ...call.outputs.map((output) => output.view)]
  forEachPlace(call.space.slice(0, last), views, (offsets, outer) => {
    const operand = (v: number, column: number) =>
      buffers[views[v].buffer][offsets[v] + column * views[v].strides[last]]
    // Each step over the whole row, so that a reduction finds its argument ready.
    const rows: Array<Array<number>> = []
    for (const step of call.body) {
      const row: Array<number> = []
      if (step.op === "reduce") {
        const argument = rows[step.args[0]]
        let value = step.kind === "sum" ? 0 : -Infinity
        for (let column = 0; column < columns; column++) {
          value = step.kind === "sum" ? value + argument[column] : Math.max(value, argument[column])
        }
        row.length = places
        row.fill(value)
      } else {
        for (let column = 0; column < places; column++) {
          row.push(evaluateStep(step, rows.map((r) => r[column]), (v) => operand(v, column), [...outer, column]))
        }
      }
      rows.push(row)
    }
    call.outputs.forEach(({ step, view }, o) => {
      const v = call.inputs.length + o
      for (let column = 0; column < (view.shape[last] === 1 ? 1 : columns); column++) {
        buffers[view.buffer][offsets[v] + column * view.strides[last]] = rows[step][column]
      }
    })
  })
}
