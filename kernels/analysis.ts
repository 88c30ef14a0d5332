/**
 * Analysis of a fused body, and its text for listings.
 * @module
 */
import type { Instruction } from "./contract.ts"

/**
 * Which steps have one value a row.
 *
 * @param strides Of each input along the merged axes.
 * @param axes For `index` steps: the merged axis of each original one.
 * @param last The merged axis along which a row runs.
 */
export const perRowSteps = (
  body: ReadonlyArray<Instruction>,
  strides: ReadonlyArray<ReadonlyArray<number>>,
  axes: ReadonlyArray<number>,
  last: number,
): boolean[] => {
  const perRow: boolean[] = []
  for (const step of body) {
    perRow.push(
      "args" in step
        ? step.op === "reduce" || step.args.every((argument) => perRow[argument])
        : step.op === "constant" || step.op === "load" && strides[step.operand][last] === 0 ||
          step.op === "index" && axes[step.axis] !== last,
    )
  }
  return perRow
}

/** The steps that `roots` need, themselves included, in order. Arguments of `ready` steps are not followed. */
export const neededSteps = (
  body: ReadonlyArray<Instruction>,
  roots: ReadonlyArray<number>,
  ready: (step: number) => boolean = () => false,
): number[] => {
  const needed = new Set<number>()
  const need = (number: number): void => {
    if (needed.has(number)) return
    needed.add(number)
    const step = body[number]
    if ("args" in step && !ready(number)) step.args.forEach(need)
  }
  roots.forEach(need)
  return [...needed].sort((a, b) => a - b)
}

/** Number of nested reductions in each step, its own included. */
export const reductionDepths = (body: ReadonlyArray<Instruction>): number[] => {
  const depths: number[] = []
  for (const step of body) {
    const below = "args" in step ? Math.max(...step.args.map((argument) => depths[argument])) : 0
    depths.push(step.op === "reduce" ? below + 1 : below)
  }
  return depths
}

/** Number of arithmetic operations of a body for each element. */
export const operationsOf = (body: ReadonlyArray<Instruction>): number =>
  body.filter(({ op }) => op !== "load" && op !== "constant" && op !== "index").length

/** A body as text. */
export const spell = (body: ReadonlyArray<Instruction>): string =>
  body.map((step, number) => {
    switch (step.op) {
      case "load":
        return undefined
      case "constant":
        return `%${number}=${step.value}`
      case "index":
        return `%${number}=index(${step.axis})`
      case "reduce":
        return `%${number}=${step.kind}(${operands(body, step.args)})`
      default:
        return `%${number}=${step.op}(${operands(body, step.args)})`
    }
  }).filter((text) => text !== undefined).join(" ")

const operands = (body: ReadonlyArray<Instruction>, args: ReadonlyArray<number>): string =>
  args.map((number) => {
    const step = body[number]
    return step.op === "load" ? `in${step.operand}` : `%${number}`
  }).join(", ")
