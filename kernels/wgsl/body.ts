/**
 * WGSL of fused expressions: one statement a step, each on one place or on four neighbours of a row.
 * @module
 */
import type { DType, Instruction, ReduceKind } from "../contract.ts"
import { collectFunctions, type Lanes } from "./functions.ts"
export type { Lanes } from "./functions.ts"

const OPERATORS = { add: "+", sub: "-", mul: "*", div: "/", less: "<", lessEqual: "<=", equal: "==" } as const
const isComparison = (step: Instruction): boolean => ["less", "lessEqual", "equal"].includes(step.op)

/** Name of a type with one or four lanes. */
export const typeName = (dtype: DType, lanes: Lanes): string => lanes === 1 ? dtype : `vec4<${dtype}>`

/** Operands and indices of the statements. */
export interface Surroundings {
  /** Expression of an operand's element, of the step's lanes. */
  readonly load: (operand: number, lanes: Lanes, dtype: DType) => string
  /** Expression of the coordinate (i32) along an axis, of the step's lanes. */
  readonly index: (axis: number, lanes: Lanes) => string
}

/** Writes one body. Step n is the constant `vn` of the code. */
export interface BodyWriter {
  /** `let vn = ...;` for a step that is no reduction. */
  readonly statement: (step: number, surroundings: Surroundings) => string
  /** Value of an earlier step as an expression; one lane is repeated where more are wanted. */
  readonly value: (step: number, lanes: Lanes) => string
  /** Expression of what a reduction starts from. */
  readonly identity: (kind: ReduceKind, dtype: DType, lanes: Lanes) => string
  /** Expression that combines two values. */
  readonly combine: (kind: ReduceKind, dtype: DType, lanes: Lanes, a: string, b: string) => string
  /** Expression of one value from the lanes of the variable `name`. */
  readonly combineLanes: (kind: ReduceKind, dtype: DType, lanes: Lanes, name: string) => string
  /** Declarations that the statements so far need. */
  readonly declarations: () => string
}

/**
 * Begins to write a body.
 *
 * @param lanesOf Lanes of each step.
 */
export const bodyWriter = (body: ReadonlyArray<Instruction>, lanesOf: ReadonlyArray<Lanes>): BodyWriter => {
  const functions = collectFunctions()
  const constant = (value: number, dtype: DType): string => {
    if (dtype === "i32") return `i32(${value | 0})`
    const number = Math.fround(value)
    if (Number.isFinite(number)) return Object.is(number, -0) ? `-0f` : `f32(${number}f)`
    const bits = Number.isNaN(number) ? "0x7fc00000u" : number > 0 ? "0x7f800000u" : "0xff800000u"
    return `${functions.use("from_bits", 1)}(${bits})`
  }
  const splat = (text: string, dtype: DType, from: Lanes, to: Lanes): string =>
    from === to ? text : `${typeName(dtype, to)}(${text})`
  const value = (step: number, lanes: Lanes): string => {
    const { dtype } = body[step], own = lanesOf[step]
    const number = isComparison(body[step]) ? `${typeName(dtype, own)}(v${step})` : `v${step}`
    return splat(number, dtype, own, lanes)
  }
  const extreme = (kind: "max" | "min", dtype: DType, lanes: Lanes, a: string, b: string): string =>
    dtype === "i32" ? `${kind}(${a}, ${b})` : `${functions.use(`${kind}imum`, lanes)}(${a}, ${b})`
  const combine: BodyWriter["combine"] = (kind, dtype, lanes, a, b) =>
    kind === "sum" ? `${a} + ${b}` : extreme("max", dtype, lanes, a, b)

  const expression = (number: number, { load, index }: Surroundings): string => {
    const step = body[number], lanes = lanesOf[number]
    if (step.op === "load") return load(step.operand, lanes, step.dtype)
    if (step.op === "index") return index(step.axis, lanes)
    if (step.op === "constant") return constant(step.value, step.dtype)
    const args = step.args.map((argument) => value(argument, lanes))
    const [a, b, c] = args
    switch (step.op) {
      case "reduce":
        throw new Error(`step ${number} is a reduction: its kernel writes it`)
      case "add":
      case "sub":
      case "mul":
      case "div":
      case "less":
      case "lessEqual":
      case "equal":
        return `${a} ${OPERATORS[step.op]} ${b}`
      case "max":
      case "min":
        return extreme(step.op, step.dtype, lanes, a, b)
      case "where": {
        const condition = step.args[0]
        if (!isComparison(body[condition])) return `select(${c}, ${b}, ${a} != ${typeName("f32", lanes)}(0f))`
        return `select(${c}, ${b}, ${lanesOf[condition] === lanes ? `v${condition}` : `vec4<bool>(v${condition})`})`
      }
      case "neg":
        return `-${a}`
      case "abs":
      case "sqrt":
      case "floor":
        return `${step.op}(${a})`
      case "rsqrt":
        return `1f / sqrt(${a})`
      case "toFloat":
        return `${typeName("f32", lanes)}(${a})`
      case "toInt":
        return `${functions.use("to_int", lanes)}(${a})`
      default:
        return `${functions.use(step.op, lanes)}(${args.join(", ")})`
    }
  }
  return {
    statement: (step, surroundings) => `let v${step} = ${expression(step, surroundings)};`,
    value,
    identity: (kind, dtype, lanes) =>
      splat(constant(kind === "sum" ? 0 : dtype === "i32" ? -2147483648 : -Infinity, dtype), dtype, 1, lanes),
    combine,
    combineLanes: (kind, dtype, lanes, name) => {
      if (lanes === 1) return name
      const pair = (a: string, b: string) => combine(kind, dtype, 1, a, b)
      return kind === "sum"
        ? `(${name}.x + ${name}.y) + (${name}.z + ${name}.w)`
        : pair(pair(`${name}.x`, `${name}.y`), pair(`${name}.z`, `${name}.w`))
    },
    declarations: functions.text,
  }
}
