import * as ops from "../tensor/ops.ts"
import { type Shape, sizeOf } from "../tensor/shape.ts"
import type { Numbers, Tensor } from "../tensor/tensor.ts"
import { uniformAt } from "../tensor/operations/threefry.ts"
import { build } from "./build.ts"
import { evaluate, evaluateAll } from "./evaluate.ts"
import { gradients } from "./rewrite/gradients.ts"
import { interpret } from "./interpret.ts"

/** An input of a check, f32: uniform numbers. */
export interface CheckedInput {
  /** Extents of its axes. */
  readonly shape: Shape
  /** Least number. Default -1. */
  readonly low?: number
  /** What all numbers are below. Default 1. */
  readonly high?: number
  /** Whether axis 0 counts examples. Default false. */
  readonly batch?: boolean
  /** Whether it has a derivative. Default true. */
  readonly smooth?: boolean
}

/** How far an operation is from what its parts say of each other: greatest differences, relative to the greatest number. */
export interface OperationDifferences {
  /** What backends are given (the decomposition, simplified and fused) from the reference, both in float64. */
  readonly value: number
  /** Derivatives by the greatest distance from central differences of the reference; 1e-7 is as good as these are. */
  readonly derivative: number
  /** Sums of the examples' own derivatives from derivatives of the whole; 0 where no input counts examples. */
  readonly perExample: number
}

/**
 * Checks an operation as the engine relies on it: value, derivatives, and derivatives example by example. Throws what the
 * operation throws, and ShapeError where it has no derivative or mixes examples.
 *
 * @param operation Applies it to the inputs.
 */
export function checkOperation(
  operation: (inputs: Readonly<Record<string, Tensor>>) => Tensor,
  inputs: Readonly<Record<string, CheckedInput>>,
): OperationDifferences {
  const data = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, low = -1, high = 1 }], salt): [string, Numbers] => [
      name,
      new Float64Array(sizeOf(shape)).map((_, i) => Math.fround(low + (high - low) * uniformAt(i, salt, 7, 9))),
    ]),
  )
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, batch = false }]) => [name, ops.input(name, shape, { batch })]),
  )
  const value = operation(tensors)
  const weights = new Float32Array(sizeOf(value.shape)).map((_, i) => uniformAt(i, 99, 1, 2) + 0.5)
  const loss = ops.sum(ops.mul(value, ops.constant(weights, value.shape)))
  const smooth = Object.keys(inputs).filter((name) => inputs[name].smooth ?? true)
  const wanted = smooth.map((name) => tensors[name])
  const derivatives = evaluateAll(gradients(loss, wanted), { inputs: data })
  const program = build({ name: value.operation.name, outputs: { value }, updates: [] })

  // An input that counts examples has no derivative of its own by example.
  const shared = smooth.filter((name) => inputs[name].batch !== true)
  const byExample = shared.length === smooth.length
    ? []
    : gradients(loss, shared.map((name) => tensors[name]), { perExample: true }).map((each) => ops.sum(each, [0]))
  const sums = evaluateAll(byExample, { inputs: data })
  return {
    value: difference(interpret(program, new Map(), data).value, evaluate(value, { inputs: data })),
    derivative: Math.max(0, ...smooth.map((name, i) => difference(derivatives[i], slopes(loss, data, name)))),
    perExample: Math.max(0, ...sums.map((sum, i) => difference(sum, derivatives[smooth.indexOf(shared[i])]))),
  }
}

/** Central differences of a scalar. */
function slopes(loss: Tensor, data: Readonly<Record<string, Numbers>>, name: string): Numbers {
  const at = (i: number, x: number) => evaluate(loss, { inputs: { ...data, [name]: data[name].with(i, x) } })[0]
  return data[name].map((x, i) => (at(i, x + 1e-6) - at(i, x - 1e-6)) / 2e-6)
}

function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity
  const scale = Array.from(expected, Math.abs).reduce((a, b) => Math.max(a, b), 1)
  // Math.max keeps NaN, which is no agreement.
  return Array.from(expected, (x, i) => Math.abs(actual[i] - x) / scale).reduce((a, b) => Math.max(a, b), 0)
}
