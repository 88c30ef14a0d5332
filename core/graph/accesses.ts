/**
 * Which views a call touches.
 * @module
 */
import type { AttentionCall, AttentionGradientCall, Call, View } from "../../kernels/contract.ts"

const present = (views: ReadonlyArray<View | undefined>): ReadonlyArray<View> =>
  views.filter((view) => view !== undefined)

/** What both attention kernels read. */
const ATTENDED = ["q", "k", "v", "queryPositions", "keyLengths", "segments", "bias", "factor"] as const

/** Views that a call reads. */
export function readsOf(call: Call): ReadonlyArray<View> {
  switch (call.kernel) {
    case "rows":
    case "columns":
      return call.inputs
    case "matmul":
      return [call.a, call.b, ...call.epilogue?.inputs ?? []]
    case "attention":
      return present(ATTENDED.map((name) => call[name]))
    case "attention_gradient":
      return present([...ATTENDED.map((name) => call[name]), call.logSum, call.cotangent, call.delta])
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
  switch (call.kernel) {
    case "rows":
      return call.outputs.map(({ view }) => view)
    case "matmul":
      return [call.output, ...(call.epilogue?.also ?? []).map(({ view }) => view)]
    case "attention":
      return present([call.output, call.logSum])
    case "attention_gradient":
      return present([call.dq, call.dk, call.dv])
    case "update_slice":
      return [call.destination]
    default:
      return [call.output]
  }
}

/** The views of a call that it has under these names, changed. */
function changed<C extends AttentionCall | AttentionGradientCall>(
  call: C,
  names: ReadonlyArray<keyof C>,
  change: (view: View) => View,
): C {
  const entries = names.flatMap((name) => call[name] === undefined ? [] : [[name, change(call[name] as View)]])
  return { ...call, ...Object.fromEntries(entries) }
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
    case "matmul": {
      const { epilogue } = call
      const also = epilogue?.also.map((one) => ({ ...one, view: change(one.view) })) ?? []
      return {
        ...call,
        a: change(call.a),
        b: change(call.b),
        output: change(call.output),
        ...(epilogue ? { epilogue: { ...epilogue, inputs: epilogue.inputs.map(change), also } } : {}),
      }
    }
    case "attention":
      return changed(call, [...ATTENDED, "output", "logSum"], change)
    case "attention_gradient":
      return changed(call, [...ATTENDED, "logSum", "cotangent", "delta", "dq", "dk", "dv"], change)
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
