import { assertEquals } from "@std/assert"
import { workOf as workOfCall } from "../../../core/graph/work.ts"
import { type BuiltinCall as Call, kernelOf } from "../../../kernels/builtin.ts"
import { view } from "../../kernels/compare.ts"

const f32 = "f32" as const

const workOf = (call: Call, buffers?: Parameters<typeof workOfCall>[1]) => workOfCall(call, buffers)

Deno.test("work: a product counts two operations a term, what is broadcast is read once", () => {
  const call: Call = {
    kernel: "matmul",
    a: view(0, [3, 4, 5]),
    b: view(1, [3, 5, 6], [0, 6, 1]),
    output: view(2, [3, 4, 6]),
  }
  assertEquals(workOf(call), { flops: 2 * 3 * 4 * 5 * 6, bytes: 4 * (3 * 4 * 5 + 5 * 6 + 3 * 4 * 6) })
  assertEquals(workOf(call, [{}, { storage: "bf16" }, {}]).bytes, 4 * (3 * 4 * 5 + 3 * 4 * 6) + 2 * 5 * 6)
  assertEquals(kernelOf(call).shapes(call), "[3,4,5] x [3,5,6]")
})

Deno.test("work: fused expressions count their operations at each place, not what they load", () => {
  const space = [7, 10]
  const input = view(0, space)
  const rows: Call = {
    kernel: "rows",
    space,
    body: [
      { op: "load", operand: 0, dtype: f32 },
      { op: "load", operand: 1, dtype: f32 },
      { op: "constant", value: 2, dtype: f32 },
      { op: "mul", args: [0, 2], dtype: f32 },
      { op: "add", args: [3, 1], dtype: f32 },
      { op: "reduce", kind: "sum", args: [4], dtype: f32 },
    ],
    // The same view twice, and one value a column.
    inputs: [input, view(1, space, [0, 1]), input],
    outputs: [{ step: 4, view: input }, { step: 5, view: view(2, [7, 1]) }],
  }
  assertEquals(workOf(rows), { flops: 3 * 70, bytes: 4 * (70 + 10 + 70 + 7) })
  const columns: Call = {
    kernel: "columns",
    space,
    outerAxes: 0,
    kind: "sum",
    body: [rows.body[0], { op: "exp", args: [0], dtype: f32 }],
    result: 1,
    inputs: [input],
    output: view(3, [10]),
  }
  assertEquals(workOf(columns), { flops: 2 * 70, bytes: 4 * (70 + 10) })
  assertEquals(workOf({ ...rows, space: [0, 10], inputs: [view(0, [0, 10])], outputs: [] }), { flops: 0, bytes: 0 })
})

Deno.test("work: moves count the rows that they touch, not the tables", () => {
  const indices = view(1, [6])
  const gather: Call = { kernel: "gather", table: view(0, [1000, 8]), indices, output: view(2, [6, 8]) }
  assertEquals(workOf(gather), { flops: 0, bytes: 4 * (48 + 6 + 48) })
  assertEquals(workOf(gather, [{ storage: "f16" }, {}, {}]).bytes, 2 * 48 + 4 * (6 + 48))
  assertEquals(
    workOf({
      kernel: "scatter_add",
      indices: view(1, [2, 3]),
      updates: view(0, [2, 3, 8]),
      output: view(2, [2, 100, 8]),
    }),
    { flops: 48, bytes: 4 * (6 + 48 + 1600) },
  )
  assertEquals(
    workOf({
      kernel: "update_slice",
      axis: 0,
      destination: view(0, [100, 8]),
      source: view(1, [3, 8]),
      start: view(2, [1]),
    }),
    { flops: 0, bytes: 4 * (24 + 24 + 1) },
  )
})
