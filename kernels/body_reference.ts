/**
 * Float64 reference of the fused expressions in `rows` and `columns`.
 * @module
 */
import { scalarFunction } from "../core/tensor/scalar.ts"
import type { Instruction } from "./contract.ts"

/** Contents of a program's buffers, by number; i32 elements are whole numbers. */
export type ReferenceBuffers = ReadonlyArray<Float64Array>

/**
 * Evaluates one step that is not a reduction at one place.
 *
 * @param values Results of the earlier steps at this place.
 * @param load Reads an operand here.
 * @param index Coordinates of the place.
 */
export const evaluateStep = (
  step: Exclude<Instruction, { op: "reduce" }>,
  values: ReadonlyArray<number>,
  load: (operand: number) => number,
  index: ReadonlyArray<number>,
): number => {
  switch (step.op) {
    case "load":
      return load(step.operand)
    case "constant":
      return step.dtype === "i32" ? step.value | 0 : step.value
    case "index":
      return index[step.axis]
    default:
      return scalarFunction(step.op, step.dtype)(...step.args.map((argument) => values[argument]))
  }
}
