import type { Instruction, ReduceKind, View } from "../contract.ts"

/**
 * Evaluates `body` at every place of `space` and reduces step `result` over the axes `outerAxes <= a < last`.
 * The space is [...outer, ...reduced, columns]; the output's shape is [...outer, columns].
 */
export interface ColumnsCall {
  readonly kernel: "columns"
  /** Extents of the places. */
  readonly space: ReadonlyArray<number>
  /** How many leading axes are kept. */
  readonly outerAxes: number
  /** How places are combined. */
  readonly kind: ReduceKind
  /** What is evaluated at each place. */
  readonly body: ReadonlyArray<Instruction>
  /** Number of the step that is reduced. */
  readonly result: number
  /** Each view's shape is the space. */
  readonly inputs: ReadonlyArray<View>
  /** Where the result goes. */
  readonly output: View
}
