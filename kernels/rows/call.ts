import type { Call, DType, Instruction, View } from "../contract.ts"

/**
 * For every place of `space`: evaluate `body`, store results. The last axis is the row.
 * An output whose view has a last extent of 1 (and the space has not) is one value a row: it must depend only on
 * per-row values. An output may be the very view of an input (in place); otherwise outputs and inputs are disjoint.
 */
export interface RowsCall {
  readonly kernel: "rows"
  /** Extents of the places. */
  readonly space: ReadonlyArray<number>
  /** What is evaluated at each place. */
  readonly body: ReadonlyArray<Instruction>
  /** Each view's shape is the space. */
  readonly inputs: ReadonlyArray<View>
  /** Which steps are stored, and where. */
  readonly outputs: ReadonlyArray<{ readonly step: number; readonly view: View }>
}

/** Copies a view to one of the same shape. */
export const copyCall = (from: View, to: View, dtype: DType): RowsCall => ({
  kernel: "rows",
  space: from.shape,
  body: [{ op: "load", operand: 0, dtype }],
  inputs: [from],
  outputs: [{ step: 0, view: to }],
})

/** The views of a call that only copies one to another. */
export const copied = (call: Call): { readonly from: View; readonly to: View } | undefined => {
  if (call.kernel !== "rows") return undefined
  const { body: [step, more], inputs, outputs: [{ view: to }, other] } = call as RowsCall
  return step.op === "load" && more === undefined && other === undefined
    ? { from: inputs[step.operand], to }
    : undefined
}
