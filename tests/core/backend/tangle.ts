import type { BufferSpec, Program } from "../../../core/graph/program.ts"
import type { BuiltinCall as Call } from "../../../kernels/builtin.ts"
import { noise, view } from "../../kernels/compare.ts"

const f32 = "f32" as const
const [rows, columns] = [203, 65]

/** Calls of all sizes over temporaries that take each other's places: a forgotten barrier shows as a wrong number. */
export const tangle = (seed: number, length: number): Program => {
  let state = seed
  const random = (limit: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 65536 % limit
  const buffers: Array<BufferSpec> = []
  const calls: Array<Call> = []
  const add = (size: number, source: BufferSpec["source"]) => buffers.push({ size, dtype: f32, source }) - 1
  const temporary = (size: number) => add(size, { kind: "temporary" })
  const large = [add(rows * columns, { kind: "input", name: "x" })]
  const small = [add(columns, { kind: "input", name: "bias" })]
  const shape = [rows, columns]
  const pick = (from: ReadonlyArray<number>) => from[Math.max(0, from.length - 1 - random(3))]
  for (let i = 0; i < length; i++) {
    const a = pick(large), b = pick(small)
    if (random(4) === 0) {
      const to = temporary(columns)
      calls.push({
        kernel: "columns",
        space: shape,
        outerAxes: 0,
        kind: random(2) === 0 ? "sum" : "max",
        body: [
          { op: "load", operand: 0, dtype: f32 },
          { op: "constant", value: 1 / rows, dtype: f32 },
          { op: "mul", args: [0, 1], dtype: f32 },
        ],
        result: 2,
        inputs: [view(a, shape)],
        output: view(to, [columns]),
      })
      small.push(to)
    } else if (random(2) === 0) {
      const to = temporary(columns)
      calls.push({
        kernel: "rows",
        space: [columns],
        body: [{ op: "load", operand: 0, dtype: f32 }, { op: "tanh", args: [0], dtype: f32 }],
        inputs: [view(b, [columns])],
        outputs: [{ step: 1, view: view(to, [columns]) }],
      })
      small.push(to)
    } else if (random(3) === 0) {
      const to = temporary(rows * columns), square = temporary(columns * columns)
      calls.push(
        {
          kernel: "matmul",
          a: view(a, [columns, rows], [1, columns]),
          b: view(a, shape),
          output: view(square, [columns, columns]),
        },
        { kernel: "matmul", a: view(a, shape), b: view(square, [columns, columns]), output: view(to, shape) },
        {
          kernel: "rows",
          space: shape,
          body: [
            { op: "load", operand: 0, dtype: f32 },
            { op: "reduce", kind: "max", args: [0], dtype: f32 },
            { op: "abs", args: [1], dtype: f32 },
            { op: "constant", value: 1, dtype: f32 },
            { op: "add", args: [2, 3], dtype: f32 },
            { op: "div", args: [0, 4], dtype: f32 },
            { op: "tanh", args: [5], dtype: f32 },
          ],
          inputs: [view(to, shape)],
          outputs: [{ step: 6, view: view(to, shape) }],
        },
      )
      large.push(to)
    } else {
      const to = temporary(rows * columns)
      calls.push({
        kernel: "rows",
        space: shape,
        body: [
          { op: "load", operand: 0, dtype: f32 },
          { op: "load", operand: 1, dtype: f32 },
          { op: "add", args: [0, 1], dtype: f32 },
          { op: "load", operand: 2, dtype: f32 },
          { op: "sub", args: [2, 3], dtype: f32 },
          { op: "sin", args: [4], dtype: f32 },
        ],
        inputs: [view(a, shape), view(b, shape, [0, 1]), view(pick(large), shape)],
        outputs: [{ step: 5, view: view(to, shape) }],
      })
      large.push(to)
    }
  }
  return {
    name: `tangle ${seed}`,
    buffers,
    calls,
    outputs: [
      { name: "large", view: view(large.at(-1)!, shape), dtype: f32 },
      { name: "small", view: view(small.at(-1)!, [columns]), dtype: f32 },
    ],
  }
}

/** Inputs of the tangles. */
export const tangleInputs = { x: noise(rows * columns), bias: noise(columns, 2) }
