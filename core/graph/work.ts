/**
 * How much work a call is, from its shapes alone: what a profile's rates are made of.
 * @module
 */
import type { Call, Instruction, View } from "../../kernels/contract.ts"
import { bytesOf } from "../tensor/dtype.ts"
import { sizeOf } from "../tensor/shape.ts"
import { readsOf, writesOf } from "./accesses.ts"
import type { BufferSpec } from "./program.ts"

/** Work of one call. */
export interface Work {
  /**
   * Operations on numbers: two for each product of a matmul, one for each instruction of a fused expression at each
   * place (an `exp` counts like an `add`), none for what only moves.
   */
  readonly flops: number
  /** Least traffic: each element that is needed read once, each result written once. */
  readonly bytes: number
}

/** Elements of a view; what is repeated counts once. */
const elements = ({ shape, strides }: View): number =>
  shape.reduce((product, extent, axis) => product * (strides[axis] === 0 ? Math.min(1, extent) : extent), 1)

/** Different views: one that is named twice counts once. */
const distinct = (views: ReadonlyArray<View>): ReadonlyArray<View> => {
  const spelled = ({ buffer, offset, shape, strides }: View) => `${buffer} ${offset} ${shape} ${strides}`
  return [...new Map(views.map((view) => [spelled(view), view])).values()]
}

const operations = (body: ReadonlyArray<Instruction>): number =>
  body.filter(({ op }) => op !== "load" && op !== "constant" && op !== "index").length

/**
 * The work of a call.
 *
 * @param buffers Of its program: what is kept in 16 bits takes two bytes. Default: all elements take four.
 */
export function workOf(call: Call, buffers: ReadonlyArray<Pick<BufferSpec, "storage">> = []): Work {
  const traffic = (views: ReadonlyArray<View>): number =>
    distinct(views).reduce((sum, view) => sum + bytesOf(buffers[view.buffer]?.storage) * elements(view), 0)
  const bytes = traffic(readsOf(call)) + traffic(writesOf(call))
  switch (call.kernel) {
    case "rows":
      return { flops: operations(call.body) * sizeOf(call.space), bytes }
    case "columns":
      return { flops: (operations(call.body) + 1) * sizeOf(call.space), bytes }
    case "matmul": {
      const places = sizeOf(call.output.shape)
      return { flops: 2 * places * call.a.shape.at(-1)! + places * operations(call.epilogue?.body ?? []), bytes }
    }
    case "attention":
    case "attention_gradient": {
      // Products of scores' size: two forward; the scores again and one for each derivative and their weights backward.
      const scores = sizeOf(call.q.shape.slice(0, 4)) * call.k.shape[2]
      const [d, e] = [call.q.shape[4], call.v.shape[3]]
      const terms = call.kernel === "attention"
        ? d + e
        : d + e + (call.dq ? d : 0) + (call.dk ? d : 0) + (call.dv ? e : 0)
      return { flops: 2 * scores * terms, bytes }
    }
    case "gather": {
      // Of the table, only the rows that are asked for.
      const rows = bytesOf(buffers[call.table.buffer]?.storage) * elements(call.output)
      return { flops: 0, bytes: traffic([call.indices]) + rows + traffic([call.output]) }
    }
    case "scatter_add":
      return { flops: sizeOf(call.updates.shape), bytes }
    case "update_slice":
      return { flops: 0, bytes: traffic([call.source, call.start]) + 4 * sizeOf(call.source.shape) }
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
