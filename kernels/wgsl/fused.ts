/**
 * Operands of a fused body in WGSL, along a row.
 * @module
 */
import type { DType, Instruction } from "../contract.ts"
import type { Lanes, Surroundings } from "./body.ts"
import type { Shader } from "./kernel.ts"
import { PARAMETERS, walk, type WalkedView, type Walker } from "./places.ts"

/** A view that is walked, by its number among inputs and outputs. */
export interface FusedOperand extends WalkedView {
  readonly number: number
  readonly writes: boolean
}

/** The operands that steps load, by number, with the types in which they are loaded. */
export const loadedOperands = (
  body: ReadonlyArray<Instruction>,
  steps: ReadonlyArray<number>,
): ReadonlyMap<number, DType> =>
  new Map(steps.flatMap((number) => {
    const step = body[number]
    return step.op === "load" ? [[step.operand, step.dtype] as const] : []
  }))

/** Operands with their walkers. */
export interface FusedWalk {
  /** By the number of the operand. */
  readonly walkers: ReadonlyMap<number, Walker>
  /** Statements that find the rows of the operands. */
  readonly enter: ReadonlyArray<string>
  /** What the statements of a body find at `column`. */
  readonly surroundings: Surroundings
}

/**
 * Walks operands along rows whose coordinates have the given names.
 *
 * @param vector Which operands may be bound as vectors.
 * @param axes For `index` steps: the merged axis; -1 for an extent of 1.
 */
export const fusedWalk = (
  shader: Shader,
  operands: ReadonlyArray<FusedOperand>,
  vector: ReadonlyArray<boolean>,
  lanes: Lanes,
  names: ReadonlyArray<string>,
  axes: ReadonlyArray<number>,
): FusedWalk => {
  const walkers = new Map(operands.map((operand, i) => [
    operand.number,
    walk(
      operand,
      `base${operand.number}`,
      names,
      lanes,
      vector[i],
      (element) => operand.writes ? shader.write(operand.buffer, element) : shader.read(operand.buffer, element),
    ),
  ]))
  const single = new Set(operands.filter(({ strides }) => strides[names.length] === 0).map(({ number }) => number))
  return {
    walkers,
    enter: [...walkers.values()].flatMap(({ enter }) => enter === "" ? [] : [enter]),
    surroundings: {
      load: (operand) => {
        const walker = walkers.get(operand)!
        return single.has(operand) ? walker.first() : walker.load("column")
      },
      index: (axis, lanes) => {
        if (axes[axis] < 0) return "0i"
        if (axes[axis] < names.length) return `i32(${names[axes[axis]]})`
        return lanes === 1 ? "i32(column)" : "vec4<i32>(i32(column) * 4i) + vec4<i32>(0, 1, 2, 3)"
      },
    },
  }
}

/** A shader: declarations, then the entry point with these statements. */
export const entryPoint = (declarations: string, threads: number, statements: ReadonlyArray<string>): string =>
  `${declarations}@compute @workgroup_size(${threads})
fn main(${PARAMETERS}) {
${statements.map((line) => `  ${line}`).join("\n")}
}
`
