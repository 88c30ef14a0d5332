/**
 * Values of a graph in float64, by each operation's reference: what a graph means, whatever a backend makes of it.
 * @module
 */
import type { Numbers, Tensor } from "../tensor/tensor.ts"

/** Data that a graph reads. */
export interface EvaluateData {
  /** Inputs by name. */
  readonly inputs?: Readonly<Record<string, ArrayLike<number>>>
  /** Slots by number. */
  readonly slots?: { readonly get: (id: number) => ArrayLike<number> | undefined }
}

/** Evaluates tensors that may share nodes. Throws where data is missing. */
export function evaluateAll(
  tensors: ReadonlyArray<Tensor>,
  { inputs = {}, slots }: EvaluateData = {},
): ReadonlyArray<Numbers> {
  const values = new Map<Tensor, Numbers>()
  const visit = (tensor: Tensor): Numbers => {
    const known = values.get(tensor)
    if (known !== undefined) return known
    const value = compute(tensor)
    values.set(tensor, value)
    return value
  }
  const compute = (tensor: Tensor): Numbers => {
    const { operation, attributes } = tensor
    if (operation.name === "input") return numbers(inputs[attributes.name as string], attributes.name)
    if (operation.name === "slot") return numbers(slots?.get(attributes.slot as number), attributes.name)
    if (operation.reference !== undefined) return operation.reference(tensor, tensor.inputs.map(visit))
    return visit(operation.decompose!(tensor))
  }
  return tensors.map(visit)
}

/** Evaluates one tensor. Throws where data is missing. */
export function evaluate(tensor: Tensor, data: EvaluateData = {}): Numbers {
  return evaluateAll([tensor], data)[0]
}

function numbers(data: ArrayLike<number> | undefined, name: unknown): Numbers {
  if (data === undefined) throw new Error(`No data for "${name}"`)
  return Float64Array.from(data)
}
