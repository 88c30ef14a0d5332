/**
 * How much work a call is, from its shapes alone: what a profile's rates are made of.
 * @module
 */
import type { Call, Instruction, View } from "../../kernels/contract.ts"
import { readsOf, writesOf } from "./accesses.ts"
import { sizeOf } from "../tensor/shape.ts"

/** Work of one call. */
export interface Work {
  /**
   * Operations on numbers: two for each product of a matmul, one for each instruction of a fused expression at each
   * place (an `exp` counts like an `add`), none for what only moves.
   */
  readonly flops: number
  /** Least traffic: each element that is needed read once, each result written once, four bytes each. */
  readonly bytes: number
}

/** Elements of a view; what is repeated counts once. */
const elements = ({ shape, strides }: View): number =>
  shape.reduce((product, extent, axis) => product * (strides[axis] === 0 ? Math.min(1, extent) : extent), 1)

/** Elements of views; one that is named twice counts once. */
const elementsOf = (views: ReadonlyArray<View>): number => {
  const spelled = ({ buffer, offset, shape, strides }: View) => `${buffer} ${offset} ${shape} ${strides}`
  const distinct = new Map(views.map((view) => [spelled(view), view]))
  return [...distinct.values()].reduce((sum, view) => sum + elements(view), 0)
}

const operations = (body: ReadonlyArray<Instruction>): number =>
  body.filter(({ op }) => op !== "load" && op !== "constant" && op !== "index").length

/** The work of a call. */
export function workOf(call: Call): Work {
  switch (call.kernel) {
    case "rows":
      return {
        flops: operations(call.body) * sizeOf(call.space),
        bytes: 4 * (elementsOf(call.inputs) + elementsOf(call.outputs.map(({ view }) => view))),
      }
    case "columns":
      return {
        flops: (operations(call.body) + 1) * sizeOf(call.space),
        bytes: 4 * (elementsOf(call.inputs) + elements(call.output)),
      }
    case "matmul": {
      const places = sizeOf(call.output.shape)
      return {
        flops: 2 * places * call.a.shape.at(-1)! + places * operations(call.epilogue?.body ?? []),
        bytes: 4 * (elementsOf(readsOf(call)) + elementsOf(writesOf(call))),
      }
    }
    case "attention":
    case "attention_gradient": {
      // Products of scores' size: two forward; the scores again and one for each derivative and their weights backward.
      const scores = sizeOf(call.q.shape.slice(0, 4)) * call.k.shape[2]
      const [d, e] = [call.q.shape[4], call.v.shape[3]]
      const terms = call.kernel === "attention"
        ? d + e
        : d + e + (call.dq ? d : 0) + (call.dk ? d : 0) + (call.dv ? e : 0)
      return {
        flops: 2 * scores * terms,
        bytes: 4 * (elementsOf(readsOf(call)) + elementsOf(writesOf(call))),
      }
    }
    case "gather":
      // Of the table, only the rows that are asked for.
      return { flops: 0, bytes: 4 * (elements(call.indices) + 2 * elements(call.output)) }
    case "scatter_add":
      return {
        flops: sizeOf(call.updates.shape),
        bytes: 4 * (elementsOf([call.indices, call.updates]) + elements(call.output)),
      }
    case "update_slice":
      return { flops: 0, bytes: 4 * (elements(call.source) + sizeOf(call.source.shape) + elements(call.start)) }
  }
}

/** Shapes of a call in short, for people: `[2048,128] x [128,352]`. */
export function shapesOf(call: Call): string {
  switch (call.kernel) {
    case "rows":
      return `[${call.space}]`
    case "columns":
      return `[${call.space}] -> [${call.output.shape}]`
    case "matmul":
      return `[${call.a.shape}] x [${call.b.shape}]`
    case "attention":
    case "attention_gradient":
      return `[${call.q.shape}] at [${call.k.shape}]`
    case "gather":
      return `[${call.table.shape}] at [${call.indices.shape}]`
    case "scatter_add":
      return `[${call.updates.shape}] into [${call.output.shape}]`
    case "update_slice":
      return `[${call.source.shape}] into [${call.destination.shape}]`
  }
}
