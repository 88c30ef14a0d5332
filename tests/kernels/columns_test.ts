import type { Instruction } from "../../kernels/contract.ts"
import { stridesOf } from "../../core/tensor/shape.ts"
import { type Case, noise, size, view } from "./compare.ts"
import { testAll } from "./test_all.ts"

const f32 = "f32" as const
const square: Instruction[] = [
  { op: "load", operand: 0, dtype: f32 },
  { op: "load", operand: 1, dtype: f32 },
  { op: "mul", args: [0, 1], dtype: f32 },
]

/** Sum of x * w, where w is one number a column. */
const over = (space: number[], outerAxes: number, kind: "sum" | "max"): Case => {
  const shape = [...space.slice(0, outerAxes), space.at(-1)!]
  return {
    name: `${kind} of [${space}] to [${shape}]`,
    call: {
      kernel: "columns",
      space,
      outerAxes,
      kind,
      body: square,
      result: 2,
      inputs: [view(0, space), view(1, space, space.map((_, axis) => axis === space.length - 1 ? 1 : 0))],
      output: view(2, shape),
    },
    buffers: [noise(size(space)), noise(space.at(-1)!, 2), noise(size(shape), 3)],
    tolerance: 2e-5,
  }
}

testAll("columns: sums and maxima over odd shapes", [
  over([1, 1], 0, "sum"),
  over([5, 3], 0, "sum"),
  over([0, 3], 0, "max"),
  over([0, 3], 0, "sum"),
  over([2, 0, 3], 1, "sum"),
  over([0, 2, 3], 1, "sum"),
  over([7, 13], 0, "max"),
  over([3, 7, 129], 1, "sum"),
  over([2, 3, 4, 5, 37], 2, "sum"),
  over([2, 3, 4, 5, 37], 1, "max"),
  over([64, 16], 0, "sum"),
  over([9, 50], 1, "sum"),
])

testAll("columns: few columns of many rows go in pieces", [
  over([5003, 33], 0, "sum"),
  over([10007, 5], 0, "max"),
  over([2, 40, 50, 17], 1, "sum"),
  over([50021, 1], 0, "sum"),
])

{
  const space = [3, 4, 5, 6]
  const strides = [6, 18, 72, 1] // stored as [5, 4, 3, 6]
  testAll(
    "columns: permuted operand, coordinates, strided output",
    [1, 2].map((outerAxes): Case => {
      const shape = [...space.slice(0, outerAxes), 6]
      const packed = stridesOf(shape)
      return {
        name: `weighted sum, outer ${outerAxes}`,
        call: {
          kernel: "columns",
          space,
          outerAxes,
          kind: "sum",
          body: [
            { op: "load", operand: 0, dtype: f32 },
            { op: "index", axis: 2, dtype: "i32" },
            { op: "index", axis: 0, dtype: "i32" },
            { op: "index", axis: 3, dtype: "i32" },
            { op: "add", args: [1, 2], dtype: "i32" },
            { op: "add", args: [4, 3], dtype: "i32" },
            { op: "toFloat", args: [5], dtype: f32 },
            { op: "mul", args: [0, 6], dtype: f32 },
            { op: "constant", value: 1, dtype: f32 },
            { op: "less", args: [0, 8], dtype: f32 },
            { op: "add", args: [7, 9], dtype: f32 },
          ],
          result: 10,
          inputs: [view(0, space, strides)],
          output: view(1, shape, packed.map((stride) => 2 * stride), 1),
        },
        buffers: [noise(360), noise(2 * size(shape) + 1, 3)],
        tolerance: 2e-5,
      }
    }),
  )
}

testAll("columns: a value that is the same for the whole row", [{
  name: "sum of row values",
  call: {
    kernel: "columns",
    space: [9, 10],
    outerAxes: 0,
    kind: "sum",
    body: [{ op: "load", operand: 0, dtype: f32 }],
    result: 0,
    inputs: [view(0, [9, 10], [1, 0])],
    output: view(1, [10]),
  },
  buffers: [noise(9), noise(10)],
}])

testAll("columns: more operands than a shader may bind", [{
  name: "sum of ten",
  call: {
    kernel: "columns",
    space: [6, 9],
    outerAxes: 0,
    kind: "sum",
    body: Array.from({ length: 10 }).flatMap((_, i): Instruction[] => [
      { op: "load", operand: i, dtype: f32 },
      i === 0 ? { op: "constant", value: 0, dtype: f32 } : { op: "add", args: [2 * i - 1, 2 * i], dtype: f32 },
    ]).toSpliced(3, 1, { op: "add", args: [0, 2], dtype: f32 }),
    result: 19,
    inputs: Array.from({ length: 10 }, (_, i) => view(i, [6, 9])),
    output: view(10, [9]),
  },
  buffers: Array.from({ length: 11 }, (_, i) => noise(54, i)).with(10, noise(9)),
  tolerance: 2e-5,
}])
