/**
 * Code of fused expressions: one step of a body, four places at a time.
 * @module
 */
import type { DType, Instruction, ReduceKind } from "../contract.ts"
import {
  call,
  type Code,
  f32x4,
  type FunctionScope,
  get,
  i32x4,
  type ModuleBuilder,
  set,
  type Target,
  v128,
} from "./assembler.ts"
import { type Numbers, uniformFunction, vectorUnary } from "./vector_math.ts"

const comparisons: ReadonlySet<string> = new Set(["less", "lessEqual", "equal"])
/** Whether the local of a step holds all ones or zeros in each lane instead of 1 or 0. */
const isMask = (step: Instruction): boolean => comparisons.has(step.op)
/** Whether a step costs so much more than a load that it is worth keeping. */
export const isExpensive = (step: Instruction): boolean =>
  ["exp", "log", "tanh", "sigmoid", "erf", "sin", "cos", "uniform"].includes(step.op)

/** The value of a step, from the local that holds it. */
export const valueOf = (step: Instruction, local: number): Code =>
  isMask(step) ? v128.and(get(local), f32x4.const(1)) : get(local)

/** What a reduction starts from. */
export const identity = (kind: ReduceKind, dtype: DType): Code =>
  dtype === "i32" ? i32x4.const(kind === "sum" ? 0 : -2147483648) : f32x4.const(kind === "sum" ? 0 : -Infinity)

/** Combines two vectors lane by lane. */
export const combine = (kind: ReduceKind, dtype: DType, a: Code, b: Code): Code =>
  kind === "sum"
    ? dtype === "i32" ? i32x4.add(a, b) : f32x4.add(a, b)
    : dtype === "i32"
    ? i32x4.maxS(a, b)
    : f32x4.max(a, b)

/** Combines the four lanes of a local, always in the same order; afterwards all lanes hold the result. */
export const combineLanes = (kind: ReduceKind, dtype: DType, local: number): Code =>
  [[2, 3, 0, 1], [1, 0, 3, 2]].map((lanes) =>
    set(
      local,
      combine(
        kind,
        dtype,
        get(local),
        v128.shuffle32(get(local), get(local), lanes as [number, number, number, number]),
      ),
    )
  )

/**
 * Code of one elementwise step, within the function of that scope.
 *
 * @param body The body the step belongs to.
 * @param locals Local that holds each earlier step.
 * @param numbers Where constants of functions come from. Default: pooled ones.
 */
export const elementwise = (
  module: ModuleBuilder,
  target: Target,
  f: FunctionScope,
  body: ReadonlyArray<Instruction>,
  number: number,
  locals: ReadonlyArray<number>,
  numbers?: Numbers,
): Code => {
  const step = body[number]
  if (!("args" in step) || step.op === "reduce") throw new Error(`step ${number} (${step.op}) is not elementwise`)
  const value = (i: number) => valueOf(body[step.args[i]], locals[step.args[i]])
  const whole = body[step.args[0]].dtype === "i32"
  const lanes = whole ? i32x4 : f32x4
  switch (step.op) {
    case "add":
      return lanes.add(value(0), value(1))
    case "sub":
      return lanes.sub(value(0), value(1))
    case "mul":
      return lanes.mul(value(0), value(1))
    case "div":
      return f32x4.div(value(0), value(1))
    case "max":
      return whole ? i32x4.maxS(value(0), value(1)) : f32x4.max(value(0), value(1))
    case "min":
      return whole ? i32x4.minS(value(0), value(1)) : f32x4.min(value(0), value(1))
    case "less":
      return whole ? i32x4.ltS(value(0), value(1)) : f32x4.lt(value(0), value(1))
    case "lessEqual":
      return whole ? i32x4.leS(value(0), value(1)) : f32x4.le(value(0), value(1))
    case "equal":
      return lanes.eq(value(0), value(1))
    case "where": {
      const condition = body[step.args[0]]
      return isMask(condition)
        ? v128.bitselect(value(1), value(2), get(locals[step.args[0]]))
        : v128.bitselect(value(2), value(1), f32x4.eq(value(0), f32x4.const(0)))
    }
    case "uniform":
      return call(uniformFunction(module), value(0), value(1), value(2), value(3))
    default:
      return vectorUnary(module, target, f, step.op, step.dtype, value(0), numbers)
  }
}
