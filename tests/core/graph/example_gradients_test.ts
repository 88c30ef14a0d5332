import { assert, assertThrows } from "@std/assert"
import { build } from "../../../core/graph/build.ts"
import { interpret } from "../../../core/graph/interpret.ts"
import { exampleSquares, scaleExamples } from "../../../core/graph/rewrite/example_gradients.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import type { Program } from "../../../core/graph/program.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { ShapeError } from "../../../core/tensor/shape_error.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"

const [B, T, ROWS, WIDTH] = [3, 4, 40, 6]
const parameters: Record<string, Tensor> = {
  table: ops.input("table", [ROWS, WIDTH]),
  wide: ops.input("wide", [12, WIDTH]),
  narrow: ops.input("narrow", [2, 12]),
  twice: ops.input("twice", [WIDTH, WIDTH]),
  bias: ops.input("bias", [WIDTH]),
  scalar: ops.input("scalar", []),
}
const names = [...Object.keys(parameters), "tied"]
const factors = ops.input("factors", [B], { batch: true })
const ids = ops.input("ids", [B, T], { dtype: "i32", batch: true })

const factorsOf = (...shape: ReadonlyArray<number>) =>
  ops.mul(ops.reshape(factors, [B, ...shape.map(() => 1)]), ops.full(1, [B, ...shape]))

/** A loss with a table, products of all kinds of shapes, a matrix that is used twice, and what is no matrix. */
function lossOf(looked: Tensor, { wide, narrow, twice, bias, scalar }: Record<string, Tensor>): Tensor {
  const x = ops.add(looked, ops.mul(bias, scalar))
  const inner = ops.matmul(ops.tanh(ops.matmul(x, twice)), twice)
  const out = ops.matmul(ops.tanh(ops.matmul(inner, wide, { transposeB: true })), narrow, { transposeB: true })
  return ops.batchSum(ops.sum(ops.mul(out, out), [1, 2]))
}

const data: Record<string, Float64Array> = Object.fromEntries(
  Object.entries({ ...parameters, factors, over: ops.input("over", [2, ROWS]) }).map(([name, { shape }], i) => [
    name,
    new Float64Array(sizeOf(shape)).map((_, j) => Math.sin(1.3 * j + i) * 0.6 + 0.1),
  ]),
)
// Examples take a row twice and more often.
data.ids = Float64Array.from([1, 5, 1, 9, 2, 2, 2, 0, 39, 38, 37, 5])

const programOf = (outputs: Record<string, Tensor>): Program => build({ name: "examples", outputs, updates: [] })
const run = (program: Program) => interpret(program, new Map(), data)
const { table } = parameters
const loss = lossOf(ops.gather(table, ids), parameters)
// The same table as a matrix too.
const tiedLoss = lossOf(ops.gather(table, ids), { ...parameters, wide: table, narrow: ops.input("over", [2, ROWS]) })
const found = [
  ...gradients(loss, Object.values(parameters), { perExample: true }),
  ...gradients(tiedLoss, [table], { perExample: true }),
]
const each = (of: (gradient: Tensor) => Tensor) => Object.fromEntries(names.map((name, i) => [name, of(found[i])]))

Deno.test("norms and scaled sums from operands are those of the stored gradients", () => {
  const stored = run(programOf(each((gradient) => gradient)))
  const squares = run(programOf(each(exampleSquares)))
  const sums = run(programOf(each((gradient) => ops.batchSum(scaleExamples(gradient, factors)))))
  for (const name of names) {
    const size = stored[name].length / B
    const wanted = new Float64Array(size)
    for (let b = 0; b < B; b++) {
      const own = stored[name].subarray(b * size, (b + 1) * size)
      const square = own.reduce((total, x) => total + x * x, 0)
      assert(square > 1e-6, `${name} has no gradient`)
      assert(
        Math.abs(squares[name][b] - square) < 1e-10 * square,
        `${name}, ${b}: ${squares[name][b]} is not ${square}`,
      )
      own.forEach((x, i) => wanted[i] += data.factors[b] * x)
    }
    const off = wanted.map((x, i) => Math.abs(x - sums[name][i])).reduce((a, b) => Math.max(a, b))
    assert(off < 1e-10, `the sum of ${name} is off by ${off}`)
  }
})

Deno.test("a gradient by example is not stored where its operands are smaller", () => {
  const largest = (outputs: Record<string, Tensor>) => Math.max(...programOf(outputs).buffers.map(({ size }) => size))
  const both = (i: number) => ({
    squares: exampleSquares(found[i]),
    sum: ops.batchSum(scaleExamples(found[i], factors)),
  })
  // A table's sum has 240 elements, and 720 for each example.
  assert(largest(both(names.indexOf("table"))) <= ROWS * WIDTH)
  // Cotangents of the product have 480.
  assert(largest(both(names.indexOf("tied"))) <= B * T * ROWS)
  assert(largest({ stored: found[names.indexOf("table")] }) === B * ROWS * WIDTH)
})

Deno.test("a table whose gradient is neither rows nor a product is refused", () => {
  const scaled = ops.batchSum(ops.sum(ops.mul(ops.reshape(table, [1, ROWS, WIDTH]), factorsOf(ROWS, WIDTH)), [1, 2]))
  const [tied] = gradients(ops.add(loss, scaled), [table], { perExample: true })
  assertThrows(() => exampleSquares(tied), ShapeError, "[40, 6] for each of 3 examples is not stored")
})
