/**
 * Attention of few queries on a GPU, as when text is generated: threads that had a query each would be few and have long
 * ways, so scores become a matrix after all, a small one, and each step uses all threads.
 * @module
 */
import { HIDDEN, NOTHING } from "../../../core/tensor/composites/attention.ts"
import { sizeOf, stridesOf } from "../../../core/tensor/shape.ts"
import type { Instruction, View } from "../../contract.ts"
import type { AttentionCall } from "../call.ts"
import { emitMatmul } from "../../matmul/wgsl.ts"
import { emitRows } from "../../rows/wgsl.ts"
import type { KernelEmitter } from "../../wgsl/kernel.ts"
import { apartOf } from "../apart.ts"
import { seenRanges } from "./ranges.ts"

/** Writes `attention` as products and a softmax. */
export const emitFewQueries: KernelEmitter<AttentionCall> = (call, context) => {
  const { q, k, v, bias, factor, scale, output, logSum } = call
  const { seen: ranges, dispatch } = seenRanges(call, context)
  const [batch, shared, group, queries] = q.shape, keys = k.shape[2]
  const shape = [batch, shared, group, queries, keys]
  const weights: View = { buffer: context.scratch(sizeOf(shape)), offset: 0, shape, strides: stridesOf(shape) }
  /** Keys or values for each member of the group; `order` of their last two axes. */
  const repeated = (view: View, order: readonly [number, number]): View => {
    const axes = [0, 1, -1, ...order]
    return {
      ...view,
      shape: axes.map((axis) => axis < 0 ? group : view.shape[axis]),
      strides: axes.map((axis) => axis < 0 ? 0 : view.strides[axis]),
    }
  }
  const [b, t] = ranges.strides
  const bound = (end: number): View => ({ ...ranges, offset: ranges.offset + end, shape, strides: [b, 0, 0, t, 0] })
  const inputs: Array<View> = [weights, bound(0), bound(1)]
  const body: Array<Instruction> = []
  const add = (step: Instruction): number => body.push(step) - 1
  const load = (operand: number) => add({ op: "load", operand, dtype: "f32" })
  const loadMore = (view: View) => load(inputs.push(view) - 1)
  const constant = (value: number) => add({ op: "constant", value, dtype: "f32" })
  const apply = (
    op: "mul" | "add" | "sub" | "div" | "exp" | "log" | "where" | "toFloat" | "less" | "lessEqual" | "max",
    ...args: ReadonlyArray<number>
  ) => add({ op, args, dtype: "f32" })
  const key = apply("toFloat", add({ op: "index", axis: 4, dtype: "i32" })), zero = constant(0)
  const inRange = apply("mul", apply("lessEqual", load(1), key), apply("less", key, load(2)))
  const apart = apartOf(call)
  const seen = apart === 0 ? inRange : apply("max", inRange, apply("less", key, constant(apart)))
  const product = apply("mul", load(0), constant(scale))
  const given = bias ? apply("add", product, loadMore(bias)) : product
  const score = apply("where", seen, given, constant(HIDDEN))
  const top = add({ op: "reduce", kind: "max", args: [score], dtype: "f32" })
  const power = apply("where", seen, apply("exp", apply("sub", score, top)), zero)
  const total = add({ op: "reduce", kind: "sum", args: [power], dtype: "f32" })
  const share = apply("where", total, apply("div", power, total), zero)
  const weight = factor ? apply("mul", share, loadMore(factor)) : share
  const sums = apply("where", total, apply("add", top, apply("log", total)), constant(NOTHING))
  return [
    dispatch,
    ...emitMatmul({ kernel: "matmul", a: q, b: repeated(k, [3, 2]), output: weights }, context),
    ...emitRows({
      kernel: "rows",
      space: shape,
      body,
      inputs,
      outputs: [
        { step: weight, view: weights },
        ...logSum
          ? [{ step: sums, view: { ...logSum, shape: [...logSum.shape, 1], strides: [...logSum.strides, 1] } }]
          : [],
      ],
    }, context),
    ...emitMatmul({ kernel: "matmul", a: weights, b: repeated(v, [2, 3]), output }, context),
  ]
}
