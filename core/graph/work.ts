/**
 * Work of a call, from its shapes alone: the base of a profile's rates.
 * @module
 */
import { kernelOf } from "../../kernels/builtin.ts"
import type { Call, View } from "../../kernels/contract.ts"
import { encodingOf } from "../../kernels/encodings.ts"
import { readsOf, writesOf } from "./fuse/accesses.ts"
import type { BufferSpec, Program } from "./program.ts"

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

/** Elements of a view; repeated ones count once. */
const elements = ({ shape, strides }: View): number =>
  shape.reduce((product, extent, axis) => product * (strides[axis] === 0 ? Math.min(1, extent) : extent), 1)

/** Distinct views. */
const distinct = (views: ReadonlyArray<View>): ReadonlyArray<View> => {
  const spelled = ({ buffer, offset, shape, strides }: View) => `${buffer} ${offset} ${shape} ${strides}`
  return [...new Map(views.map((view) => [spelled(view), view])).values()]
}

/**
 * The work of a call.
 *
 * @param buffers Of its program: what is encoded takes fewer bytes. Default: all elements take four.
 * @param own Kernels and encodings of its program that are not built in.
 */
export function workOf(
  call: Call,
  buffers: ReadonlyArray<Pick<BufferSpec, "storage">> = [],
  { kernels: own, encodings }: Pick<Program, "kernels" | "encodings"> = {},
): Work {
  const traffic = (views: ReadonlyArray<View>): number =>
    distinct(views).reduce((sum, view) => {
      const { block, blockBytes } = encodingOf(buffers[view.buffer]?.storage, encodings)
      return sum + blockBytes * elements(view) / block
    }, 0)
  const { flops, touches } = kernelOf(call, own).work(call)
  const bytes = touches === undefined ? traffic(readsOf(call, own)) + traffic(writesOf(call, own)) : traffic(touches)
  return { flops, bytes }
}
