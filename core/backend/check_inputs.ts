import type { DType } from "../../kernels/contract.ts"
import type { RunData } from "./backend.ts"
import { BackendError } from "./backend_error.ts"

/** Throws unless every input of a plan has an array of its type and length. */
export function checkInputs(
  inputs: ReadonlyArray<{ readonly name: string; readonly length: number; readonly dtype: DType }>,
  given: RunData,
  what: string,
): void {
  for (const { name, length, dtype } of inputs) {
    const data = given[name]
    if (data?.length === length && (data instanceof Int32Array) === (dtype === "i32")) continue
    const got = data === undefined ? "nothing" : `${data.length} elements of a ${data.constructor.name}`
    throw new BackendError({
      reason: "BadInput",
      message: `Input "${name}" of ${what} takes ${length} ${dtype} elements, not ${got}`,
    })
  }
}
