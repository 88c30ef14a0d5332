import type { Instruction } from "../../kernels/contract.ts"
import type { RowsCall } from "../../kernels/rows/call.ts"
import { type Case, noise, view } from "./compare.ts"
import { testAll } from "./test_all.ts"

const f32 = "f32" as const, i32 = "i32" as const
const load = (operand: number): Instruction => ({ op: "load", operand, dtype: f32 })
const step = (op: Exclude<Instruction["op"], "load" | "constant" | "index" | "reduce">, ...args: number[]) =>
  ({ op, args, dtype: f32 }) as Instruction
const reduce = (kind: "sum" | "max", from: number): Instruction => ({ op: "reduce", kind, args: [from], dtype: f32 })
const constant = (value: number): Instruction => ({ op: "constant", value, dtype: f32 })

const sized = (shape: number[]) => shape.reduce((a, b) => a * b, 1)
const shapes = [[1, 1], [3, 1], [1, 5], [7, 13], [2, 3, 4, 17], [5, 64], [3, 131], [40, 33], [1, 70001], [3, 9001], [
  0,
  4,
]]

const contiguous = (name: string, shape: number[], inputs: number, body: Instruction[]): Case => ({
  name: `${name} [${shape}]`,
  call: {
    kernel: "rows",
    space: shape,
    body,
    inputs: Array.from({ length: inputs }, (_, i) => view(i, shape)),
    outputs: [{ step: body.length - 1, view: view(inputs, shape) }],
  },
  buffers: Array.from({ length: inputs + 1 }, (_, i) => noise(sized(shape), i + 1)),
})

testAll(
  "rows: elementwise on contiguous operands",
  shapes.map((shape) =>
    contiguous("a*b+0.5", shape, 2, [load(0), load(1), step("mul", 0, 1), constant(0.5), step("add", 2, 3)])
  ),
)

const softmax = [load(0), reduce("max", 0), step("sub", 0, 1), step("exp", 2), reduce("sum", 3), step("div", 3, 4)]
testAll(
  "rows: softmax, two nested reductions",
  [...shapes, [3, 0]].map((shape) => ({ ...contiguous("softmax", shape, 1, softmax), tolerance: 1e-5 })),
)

testAll(
  "rows: layer norm with row weights broadcast, in place, beside a value per row",
  [[6, 19], [2, 5, 32], [64, 100], [9, 1]].map((shape): Case => {
    const last = shape.length - 1, columns = shape[last], rows = sized(shape) / columns
    const zeros = shape.map(() => 0)
    const body: Instruction[] = [
      load(0),
      reduce("sum", 0),
      constant(1 / columns),
      step("mul", 1, 2),
      step("sub", 0, 3),
      step("mul", 4, 4),
      reduce("sum", 5),
      step("mul", 6, 2),
      constant(1e-5),
      step("add", 7, 8),
      step("rsqrt", 9),
      load(1),
      step("mul", 4, 10),
      step("mul", 12, 11),
    ]
    // The slot holds x, and behind it one mean a row.
    const call: RowsCall = {
      kernel: "rows",
      space: shape,
      body,
      inputs: [view(1, shape), view(0, shape, [...zeros.slice(1), 1])],
      outputs: [
        { step: 13, view: view(1, shape) },
        {
          step: 3,
          view: view(
            1,
            [...shape.slice(0, -1), 1],
            shape.map((_, a) => a === last ? 1 : sized(shape.slice(a + 1, last))),
            sized(shape),
          ),
        },
      ],
    }
    return {
      name: `layer norm [${shape}]`,
      call,
      buffers: [noise(columns, 5), noise(sized(shape) + rows, 6)],
      tolerance: columns === 1 ? 1e-3 : 1e-5,
    }
  }),
)

testAll("rows: permuted, broadcast and strided operands", [
  {
    name: "transpose plus column vector",
    call: {
      kernel: "rows",
      space: [5, 7, 6],
      body: [load(0), load(1), load(2), step("add", 0, 1), step("mul", 3, 2)],
      inputs: [view(0, [5, 7, 6], [7, 1, 35]), view(1, [5, 7, 6], [0, 1, 0]), view(1, [5, 7, 6], [0, 0, 0], 3)],
      outputs: [{ step: 4, view: view(2, [5, 7, 6]) }],
    },
    buffers: [noise(210), noise(7, 2), noise(210, 3)],
  },
  {
    name: "strided output",
    call: {
      kernel: "rows",
      space: [4, 9],
      body: [load(0), step("neg", 0)],
      inputs: [view(0, [4, 9], [18, 2], 1)],
      outputs: [{ step: 1, view: view(1, [4, 9], [1, 4]) }],
    },
    buffers: [noise(73), noise(36, 2)],
  },
])

testAll(
  "rows: integers, comparisons, choice, coordinates",
  [[3, 10], [1, 1], [4, 5, 7], [1, 40000]].map((shape): Case => {
    const last = shape.length - 1
    return {
      name: `causal mask [${shape}]`,
      call: {
        kernel: "rows",
        space: shape,
        body: [
          load(0),
          { op: "index", axis: last, dtype: i32 },
          { op: "index", axis: last - 1, dtype: i32 },
          { op: "constant", value: 2, dtype: i32 },
          { op: "mul", args: [2, 3], dtype: i32 },
          step("lessEqual", 1, 4),
          constant(-Infinity),
          step("where", 5, 0, 6),
          step("equal", 1, 3),
          step("add", 7, 8),
          { op: "toInt", args: [0], dtype: i32 },
          step("toFloat", 10),
          step("add", 9, 11),
          load(1),
          step("where", 13, 12, 0),
        ],
        inputs: [view(0, shape), view(1, shape)],
        outputs: [{ step: 14, view: view(2, shape) }],
      },
      buffers: [
        noise(sized(shape)).map((x) => 100 * x),
        noise(sized(shape), 2).map((x) => x > 0 ? 1 : 0),
        noise(sized(shape)),
      ],
    }
  }),
)

testAll(
  "rows: every function of one element",
  (["neg", "exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "erf", "abs", "floor", "sin", "cos"] as const).map(
    (op): Case => ({
      ...contiguous(op, [3, 45], 1, [load(0), step("abs", 0), constant(0.01), step("add", 1, 2), step(op, 3)]),
      tolerance: 1e-5,
    }),
  ),
)

testAll("rows: random numbers equal the host's", [{
  name: "uniform",
  call: {
    kernel: "rows",
    space: [5, 21],
    body: [
      { op: "index", axis: 0, dtype: i32 },
      { op: "constant", value: 21, dtype: i32 },
      { op: "mul", args: [0, 1], dtype: i32 },
      { op: "index", axis: 1, dtype: i32 },
      { op: "add", args: [2, 3], dtype: i32 },
      { op: "load", operand: 0, dtype: i32 },
      { op: "load", operand: 1, dtype: i32 },
      { op: "uniform", args: [4, 5, 6, 5], dtype: f32 },
    ],
    inputs: [view(0, [5, 21], [0, 0]), view(0, [5, 21], [0, 0], 1)],
    outputs: [{ step: 7, view: view(1, [5, 21]) }],
  },
  buffers: [Int32Array.of(-7, 1234567), noise(105)],
  tolerance: 0,
}])

testAll(
  "rows: constants that JSON does not know",
  [Infinity, -Infinity, NaN, -0, 0].map((value, i) =>
    contiguous(`max(x, constant ${i})`, [2, 6], 1, [load(0), constant(value), step("max", 0, 1)])
  ),
)

testAll(
  "rows: one sum and one maximum a row",
  [[1, 8], [5, 8], [70, 64], [3, 70000], [1, 30030], [1, 30031], [2, 33], [100, 2052], [80, 3], [3, 40]].map(
    (shape): Case => {
      const sums = [...shape.slice(0, -1), 1]
      return {
        name: `sum and maximum of [${shape}]`,
        call: {
          kernel: "rows",
          space: shape,
          body: [load(0), reduce("sum", 0), load(1), step("mul", 1, 2), reduce("max", 0)],
          inputs: [view(0, shape), view(0, shape, [1, 0])],
          outputs: [
            { step: 3, view: view(1, sums, [2, 1]) },
            { step: 4, view: view(1, sums, [2, 1], 1) },
          ],
        },
        buffers: [noise(sized(shape)), noise(2 * sized(sums))],
        tolerance: 1e-4,
      }
    },
  ),
)

/** Many operands: a chain of sums, normalized, plus what stands at the beginning of the chain and a coordinate. */
const chain = (count: number): Instruction[] => {
  const body: Instruction[] = [load(0), { op: "index", axis: 1, dtype: i32 }]
  let sum = 0
  for (let i = 1; i < count; i++) {
    body.push(load(i), step("add", sum, body.length))
    sum = body.length - 1
  }
  body.push(reduce("sum", sum), step("sub", sum, sum + 1), step("add", sum + 2, 3), {
    op: "toFloat",
    args: [1],
    dtype: f32,
  })
  return [...body, step("add", sum + 3, sum + 4)]
}
testAll(
  "rows: more operands than a shader may bind",
  [[3, 8], [2, 7], [70, 12]].map((shape): Case => ({ ...contiguous("chain", shape, 20, chain(20)), tolerance: 1e-4 })),
)
