/**
 * Which views a call touches.
 * @module
 */
import type { Call, View } from "../../kernels/contract.ts"

/** Views that a call reads. */
export function readsOf(call: Call): ReadonlyArray<View> {
  switch (call.kernel) {
    case "rows":
    case "columns":
      return call.inputs
    case "matmul":
      return [call.a, call.b]
    case "gather":
      return [call.table, call.indices]
    case "scatter_add":
      return [call.indices, call.updates]
    case "update_slice":
      return [call.destination, call.source, call.start]
  }
}

/** Views that a call writes. */
export function writesOf(call: Call): ReadonlyArray<View> {
  if (call.kernel === "rows") return call.outputs.map(({ view }) => view)
  return [call.kernel === "update_slice" ? call.destination : call.output]
}

/** A call with each of its views changed. */
export function mapViews(call: Call, change: (view: View) => View): Call {
  switch (call.kernel) {
    case "rows":
      return {
        ...call,
        inputs: call.inputs.map(change),
        outputs: call.outputs.map((output) => ({ ...output, view: change(output.view) })),
      }
    case "columns":
      return { ...call, inputs: call.inputs.map(change), output: change(call.output) }
    case "matmul":
      return { ...call, a: change(call.a), b: change(call.b), output: change(call.output) }
    case "gather":
      return { ...call, table: change(call.table), indices: change(call.indices), output: change(call.output) }
    case "scatter_add":
      return { ...call, indices: change(call.indices), updates: change(call.updates), output: change(call.output) }
    case "update_slice":
      return {
        ...call,
        destination: change(call.destination),
        source: change(call.source),
        start: change(call.start),
      }
  }
}

/** Numbers of buffers; one may stand in both lists (in place). */
export interface Accesses {
  readonly reads: ReadonlyArray<number>
  readonly writes: ReadonlyArray<number>
}

/** Buffers that a call reads and writes. */
export function accessesOf(call: Call): Accesses {
  const numbers = (views: ReadonlyArray<View>) => views.map((view) => view.buffer)
  return { reads: numbers(readsOf(call)), writes: numbers(writesOf(call)) }
}
