/**
 * Code of a fused body along a row: four columns a vector, and several vectors (copies) at a time.
 * @module
 */
import type { Instruction } from "../contract.ts"
import type { Encoding } from "../encoding.ts"
import { type Code, f32x4, type FunctionScope, get, i32, i32x4, set, v128 } from "./assembler.ts"
import { elementwise, valueOf } from "./body.ts"
import type { KernelContext } from "./kernel.ts"
import { loadStored } from "./lanes.ts"

/** A body with merged axes. */
export interface FusedBody {
  readonly body: ReadonlyArray<Instruction>
  /** Strides of each operand along the merged axes, the row last. */
  readonly strides: ReadonlyArray<ReadonlyArray<number>>
  /** Encoding of each operand. */
  readonly encodings: ReadonlyArray<Encoding>
  /** For `index` steps: the merged axis; -1 for an extent of 1. */
  readonly axes: ReadonlyArray<number>
}

/** Where the code finds its operands. */
export interface FusedPlaces {
  /** Address of an operand's first element in the row. */
  readonly first: (operand: number) => Code
  /** Address of an operand at the column of copy 0. */
  readonly here: (operand: number) => Code
  /** Coordinate along a merged axis before the row. */
  readonly index: (axis: number) => Code
  /** Column of copy 0. */
  readonly column: Code
}

/** Code of the steps. Steps that have one value a row have one local, the others one for each copy. */
export interface FusedSteps {
  /** Computes a step that is no reduction, for the first `count` lanes of a copy. Default: all lanes of copy 0. */
  readonly compute: (step: number, copy?: number, count?: number) => Code
  /** Value of a computed step. */
  readonly value: (step: number, copy?: number) => Code
  /** Local of each step, by copy. */
  readonly locals: ReadonlyArray<ReadonlyArray<number>>
  /** Local that accumulates each reduction, by copy. */
  readonly accumulators: ReadonlyArray<ReadonlyArray<number>>
}

/**
 * Makes the locals of the steps.
 *
 * @param needed Steps that have locals.
 * @param perRow Which steps have one value a row.
 */
export const fusedSteps = (
  { module, target }: KernelContext,
  scope: FunctionScope,
  { body, strides, encodings, axes }: FusedBody,
  needed: ReadonlySet<number>,
  perRow: ReadonlyArray<boolean>,
  copies: number,
  places: FusedPlaces,
): FusedSteps => {
  const unused = () => Array.from({ length: copies }, () => new Array<number>(body.length).fill(-1))
  const locals = unused(), accumulators = unused()
  body.forEach(({ op }, step) => {
    if (!needed.has(step)) return
    const shared = perRow[step] ? scope.local("v128") : -1
    locals.forEach((copy) => copy[step] = perRow[step] ? shared : scope.local("v128"))
    if (op === "reduce") accumulators.forEach((copy) => copy[step] = scope.local("v128"))
  })
  const load = (operand: number, single: boolean, copy: number, count: number): Code => {
    const stride = strides[operand].at(-1)!
    return single
      ? loadStored(module, encodings[operand], places.first(operand), 0, 4, 0)
      : loadStored(module, encodings[operand], places.here(operand), stride, count, 4 * copy * stride)
  }
  const evaluate = (number: number, copy: number, count: number): Code => {
    const step = body[number]
    switch (step.op) {
      case "load":
        return load(step.operand, perRow[number], copy, count)
      case "constant":
        return step.dtype === "i32" ? i32x4.const(step.value) : f32x4.const(step.value)
      case "index":
        if (axes[step.axis] < 0) return i32x4.const(0)
        return perRow[number]
          ? i32x4.splat(places.index(axes[step.axis]))
          : i32x4.add(i32x4.splat(places.column), lanesFrom(4 * copy))
      default:
        return elementwise(module, target, scope, body, number, locals[copy])
    }
  }
  return {
    compute: (step, copy = 0, count = 4) => set(locals[copy][step], evaluate(step, copy, count)),
    value: (step, copy = 0) => valueOf(body[step], locals[copy][step]),
    locals,
    accumulators,
  }
}

const lanesFrom = (first: number): Code => v128.const(first, first + 1, first + 2, first + 3)

/** Splits the local `from` into coordinates, the last axis fastest. `from` is used up. */
export const coordinates = (from: number, extents: ReadonlyArray<number>, into: ReadonlyArray<number>): Code =>
  extents.map((_, i) => extents.length - 1 - i).map((axis) =>
    axis === 0 ? set(into[0], get(from)) : [
      set(into[axis], i32.remU(get(from), i32.const(extents[axis]))),
      set(from, i32.divU(get(from), i32.const(extents[axis]))),
    ]
  )

/** An address moved along axes by the coordinates in locals. `bytes`: those of an element. */
export const moved = (
  address: Code,
  coordinates: ReadonlyArray<number>,
  strides: ReadonlyArray<number>,
  bytes = 4,
): Code =>
  coordinates.reduce(
    (sum, local, axis) =>
      strides[axis] === 0 ? sum : i32.add(sum, i32.mul(get(local), i32.const(bytes * strides[axis]))),
    address,
  )
