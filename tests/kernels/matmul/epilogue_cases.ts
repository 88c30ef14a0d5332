import { sizeOf } from "../../../core/tensor/shape.ts"
import type { Instruction, View } from "../../../kernels/contract.ts"
import { type Case, noise, view } from "../compare.ts"

const f32 = "f32" as const, i32 = "i32" as const
const load = (operand: number): Instruction => ({ op: "load", operand, dtype: f32 })
const index = (axis: number): Instruction => ({ op: "index", axis, dtype: i32 })
const constant = (value: number): Instruction => ({ op: "constant", value, dtype: f32 })
const step = (op: Exclude<Instruction["op"], "load" | "constant" | "index" | "reduce">, ...args: number[]) =>
  ({ op, args, dtype: f32 }) as Instruction

/** What a case says; the rest is contiguous and begins at 0. */
interface Description {
  /** Of the output; the last two are m and n. */
  readonly shape: number[]
  readonly k: number
  readonly body: Instruction[]
  /** Strides of the operands. */
  readonly a?: number[]
  readonly b?: number[]
  /** Of the output and of all in `also`. */
  readonly output?: number[]
  /** Strides of the further operands, and their first element. */
  readonly inputs?: { readonly strides: number[]; readonly offset?: number; readonly whole?: boolean }[]
  /** Default: the last step. */
  readonly result?: number
  readonly also?: number[]
}

/** Elements up to the furthest one. */
const extent = ({ offset, shape, strides }: View): number =>
  sizeOf(shape) === 0
    ? offset
    : 1 + offset + strides.reduce((sum, stride, axis) => sum + Math.max(0, stride) * (shape[axis] - 1), 0)

/** Buffers: a, b, the inputs, and one that all results lie in, one behind the other. */
const make = (name: string, { shape, k, body, inputs = [], also = [], ...given }: Description): Case => {
  const rank = shape.length - 2, [m, n] = shape.slice(rank), batch = shape.slice(0, rank)
  const a = view(0, [...batch, m, k], given.a), b = view(1, [...batch, k, n], given.b)
  const operands = inputs.map(({ strides, offset }, i) => view(2 + i, shape, strides, offset))
  const last = 2 + inputs.length
  const output = view(last, shape, given.output, 3)
  const size = extent(output)
  const further = also.map((step, i) => ({ step, view: { ...output, offset: 3 + (i + 1) * size } }))
  return {
    name,
    call: {
      kernel: "matmul",
      a,
      b,
      output,
      epilogue: { body, inputs: operands, result: given.result ?? body.length - 1, also: further },
    },
    buffers: [
      ...[a, b].map((view, i) => noise(extent(view), i + 1)),
      ...operands.map((view, i) =>
        inputs[i].whole
          ? Int32Array.from(noise(extent(view), i + 3), (x) => Math.floor(3 * x))
          : noise(extent(view), i + 3)
      ),
      noise((1 + also.length) * size + 3, 99),
    ],
    tolerance: 2e-6 + 1e-7 * k,
  }
}

const biased = [load(0), load(1), step("add", 0, 1)]
/** x * (1 + erf(x / sqrt 2)) / 2 of step 2. */
const gelu = [
  ...biased,
  constant(Math.SQRT1_2),
  step("mul", 2, 3),
  step("erf", 4),
  constant(1),
  step("add", 5, 6),
  constant(0.5),
  step("mul", 2, 8),
  step("mul", 9, 7),
]
/** Scores where the column is not beyond the row, else -1e30; scaled by what operand 1 says. */
const causal = (row: number, column: number): Instruction[] => [
  load(0),
  index(column),
  index(row),
  { op: "lessEqual", args: [1, 2], dtype: f32 },
  constant(-1e30),
  step("where", 3, 0, 4),
  load(1),
  step("mul", 5, 6),
]

/** Products with an epilogue, on every path that an emitter may have. */
export const epilogueCases: ReadonlyArray<Case> = [
  make("bias", { shape: [50, 64], k: 24, body: biased, inputs: [{ strides: [0, 1] }] }),
  make("bias, gelu, and what it was of", {
    shape: [37, 132],
    k: 40,
    body: gelu,
    inputs: [{ strides: [0, 1], offset: 5 }],
    also: [2],
  }),
  make("scaled, bias and residual", {
    shape: [13, 20],
    k: 9,
    body: [...biased, load(2), constant(0.25), step("mul", 2, 4), step("add", 3, 5)],
    inputs: [{ strides: [0, 1] }, { strides: [20, 1] }],
  }),
  ...[[1, 40], [1, 7], [23, 1], [9, 7], [6, 8], [5, 67], [150, 3], [1, 1100], [3, 350], [12, 130]].map(([m, n]) =>
    make(`${m}x${n}: bias, gelu, residual`, {
      shape: [m, n],
      k: 33,
      body: [...gelu, load(2), step("add", 10, 11)],
      inputs: [{ strides: [0, 1] }, { strides: [n, 1] }],
      also: [2],
    })
  ),
  ...[[30, 24, 600], [2, 9, 513], [70, 64, 257]].map(([m, n, k]) =>
    make(`${k} terms, in several blocks`, {
      shape: [m, n],
      k,
      body: gelu,
      inputs: [{ strides: [0, 1] }],
      also: [2, 0],
    })
  ),
  make("a function of sums and of all kinds of operands", {
    shape: [45, 52],
    k: 20,
    body: [
      ...biased,
      load(2),
      step("mul", 2, 3),
      step("tanh", 4),
      index(1),
      { op: "toFloat", args: [6], dtype: f32 },
      step("exp", 3),
      step("add", 5, 8),
      load(3),
      step("less", 10, 9),
      step("where", 11, 9, 7),
    ],
    inputs: [{ strides: [1, 0] }, { strides: [0, 0] }, { strides: [104, 2] }],
    also: [5],
  }),
  make("no terms", { shape: [7, 12], k: 0, body: gelu, inputs: [{ strides: [0, 1] }], also: [2] }),
  make("no elements", { shape: [3, 0, 12], k: 4, body: biased, inputs: [{ strides: [0, 0, 1] }] }),
  make("transposed operands", {
    shape: [20, 36],
    k: 28,
    a: [1, 20],
    b: [1, 28],
    body: biased,
    inputs: [{ strides: [0, 1] }],
  }),
  make("rank 8: the sum with another product, scaled", {
    shape: [64, 96],
    k: 8,
    body: [load(0), constant(2), step("mul", 0, 1), load(1), step("add", 2, 3)],
    inputs: [{ strides: [96, 1] }],
  }),
  make("one b for all entries, a residual that folds into rows with them", {
    shape: [2, 3, 7, 20],
    k: 60,
    b: [0, 0, 20, 1],
    body: [...biased, load(2), step("add", 2, 3)],
    inputs: [{ strides: [0, 0, 0, 1] }, { strides: [420, 140, 20, 1] }],
  }),
  make("one b for all entries, an operand that does not fold", {
    shape: [2, 3, 7, 20],
    k: 60,
    b: [0, 0, 20, 1],
    body: [...biased, load(2), step("mul", 2, 3)],
    inputs: [{ strides: [20, 0, 0, 1] }, { strides: [0, 1, 3, 0] }],
    also: [2],
  }),
  make("entries that merge, an operand that does not", {
    shape: [3, 4, 10, 9],
    k: 40,
    body: biased,
    inputs: [{ strides: [90, 0, 9, 1] }],
  }),
  make("heads side by side in the output", {
    shape: [2, 3, 9, 8],
    k: 96,
    output: [9 * 24, 8, 24, 1],
    body: gelu,
    inputs: [{ strides: [0, 8, 0, 1] }],
    also: [2],
  }),
  make("gaps in the output, strides and signs of all kinds in the operands", {
    shape: [11, 22],
    k: 140,
    output: [25, 1],
    body: [...biased, load(2), step("mul", 2, 3), load(3), step("sub", 4, 5)],
    inputs: [{ strides: [44, 2] }, { strides: [1, 11] }, { strides: [-22, -1], offset: 241 }],
    also: [4, 2],
  }),
  make("an operand along rows, one number for all", {
    shape: [19, 30],
    k: 64,
    body: [...biased, load(2), step("mul", 2, 3)],
    inputs: [{ strides: [1, 0] }, { strides: [0, 0] }],
  }),
  make("where whole numbers are equal", {
    shape: [8, 26],
    k: 4,
    body: [
      load(0),
      { op: "load", operand: 1, dtype: i32 },
      { op: "constant", value: 1, dtype: i32 },
      step("equal", 1, 2),
      constant(-7),
      step("where", 3, 4, 0),
    ],
    inputs: [{ strides: [26, 1], whole: true }],
  }),
  make("results are a comparison, an earlier step and the product", {
    shape: [14, 18],
    k: 5,
    body: [...biased, step("less", 0, 1), step("tanh", 2)],
    inputs: [{ strides: [0, 1] }],
    result: 3,
    also: [2, 0, 4],
  }),
  make("coordinates", {
    shape: [21, 30],
    k: 60,
    body: causal(0, 1),
    inputs: [{ strides: [0, 0] }],
  }),
  make("coordinates of entries that share b", {
    shape: [2, 3, 5, 7],
    k: 160,
    b: [0, 0, 7, 1],
    body: [...causal(2, 3), index(0), index(1), step("add", 8, 9) as Instruction].map((one, i) =>
      i === 10 ? { ...one, dtype: i32 } as Instruction : one
    ).concat([step("toFloat", 10), step("add", 7, 11)]),
    inputs: [{ strides: [0, 0, 0, 1] }],
  }),
  make("dropout", {
    shape: [2, 9, 12],
    k: 160,
    b: [0, 12, 1],
    body: [
      load(0),
      index(0),
      { op: "constant", value: 108, dtype: i32 },
      { op: "mul", args: [1, 2], dtype: i32 },
      index(1),
      { op: "constant", value: 12, dtype: i32 },
      { op: "mul", args: [4, 5], dtype: i32 },
      index(2),
      { op: "add", args: [3, 6], dtype: i32 },
      { op: "add", args: [8, 7], dtype: i32 },
      { op: "constant", value: 5, dtype: i32 },
      step("uniform", 9, 10, 5, 2),
      load(1),
      step("less", 11, 12),
      step("mul", 13, 0),
    ],
    inputs: [{ strides: [0, 0, 0] }],
  }),
]
