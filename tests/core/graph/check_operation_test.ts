import { assert, assertThrows } from "@std/assert"
import { checkOperation } from "../../../core/graph/check_operation.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { ShapeError } from "../../../core/tensor/shape_error.ts"
import { node, type Operation, type Tensor } from "../../../core/tensor/tensor.ts"

/** x^2 w along the last axis. */
const weighed: Required<Pick<Operation, "name" | "derivative" | "decompose" | "reference">> = {
  name: "weighedSquare",
  derivative: ({ inputs: [x, w] }, c) => [
    ops.mul(ops.mul(c, ops.mul(x, w)), 2),
    ops.sumTo(ops.mul(c, ops.mul(x, x)), w.shape),
  ],
  decompose: ({ inputs: [x, w] }) => ops.mul(ops.mul(x, x), w),
  reference: (_, [x, w]) => x.map((value, i) => value * value * w[i % w.length]),
}
const inputs = { x: { shape: [3, 5, 7], batch: true }, w: { shape: [7], low: 0.5 } }
const check = (change: Partial<Operation> = {}) =>
  checkOperation(({ x, w }: Readonly<Record<string, Tensor>>) => {
    return node({ ...weighed, ...change }, [x, w], x.shape, "f32")
  }, inputs)

Deno.test("an operation whose parts agree passes", () => {
  for (const own of [check(), check({ derivative: undefined as never })]) {
    assert(own.value < 1e-14 && own.derivative < 1e-6 && own.perExample < 1e-14, JSON.stringify(own))
    assert(own.derivative > 0)
  }
})

Deno.test("each part that is wrong shows", () => {
  const { derivative } = weighed
  assert(check({ reference: (_, [x, w]) => x.map((value, i) => value * value * w[(i + 1) % w.length]) }).value > 1e-2)
  assert(check({ decompose: ({ inputs: [x, w] }) => ops.mul(x, w) }).value > 1e-2)
  const twice: Operation["derivative"] = (n, c) => derivative(n, ops.mul(c, 2))
  assert(check({ derivative: twice }).derivative > 1e-2)
  assert(Number.isNaN(check({ reference: (_, [x]) => x.map(() => NaN) }).value))
})

Deno.test("one that mixes examples is an error", () => {
  const derivative: Operation["derivative"] = ({ inputs: [x, w] }, c) => [
    ops.mul(c, ops.mul(x, w)),
    ops.sum(ops.mul(c, ops.mul(x, x)), [0, 1]),
  ]
  assertThrows(() => check({ derivative }), ShapeError, "mixes examples")
})
