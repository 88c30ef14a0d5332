/**
 * Which buffers a call touches.
 * @module
 */
import type { Call } from "../../kernels/contract.ts"

/** Numbers of buffers; one may stand in both lists (in place). */
export interface Accesses {
  readonly reads: ReadonlyArray<number>
  readonly writes: ReadonlyArray<number>
}

/** Buffers that a call reads and writes. */
export const accessesOf = (call: Call): Accesses => {
  const numbers = (...views: ReadonlyArray<{ readonly buffer: number }>) => views.map((view) => view.buffer)
  switch (call.kernel) {
    case "rows":
      return { reads: numbers(...call.inputs), writes: numbers(...call.outputs.map((output) => output.view)) }
    case "columns":
      return { reads: numbers(...call.inputs), writes: numbers(call.output) }
    case "matmul":
      return { reads: numbers(call.a, call.b), writes: numbers(call.output) }
    case "gather":
      return { reads: numbers(call.table, call.indices), writes: numbers(call.output) }
    case "scatter_add":
      return { reads: numbers(call.indices, call.updates), writes: numbers(call.output) }
    case "update_slice":
      return { reads: numbers(call.source, call.start), writes: numbers(call.destination) }
  }
}
