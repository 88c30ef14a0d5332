/**
 * Every operation on odd shapes: what the tests of graphs and of backends go through.
 * @module
 */
import * as ops from "../../../core/tensor/ops.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { uniformAt } from "../../../core/tensor/operations/threefry.ts"

/** A case: a graph over named inputs. */
export interface OperationCase {
  readonly name: string
  /** Shapes of the f32 inputs, or a range for integers. */
  readonly inputs: Readonly<Record<string, CaseInput>>
  readonly build: (inputs: Readonly<Record<string, Tensor>>) => Tensor
  /** Names of inputs with a derivative (default: all f32 ones). */
  readonly smooth?: ReadonlyArray<string>
}

/** An input of a case. Floats are uniform in [low, high); integers likewise, whole. */
export interface CaseInput {
  readonly shape: ReadonlyArray<number>
  readonly dtype?: "f32" | "i32"
  readonly low?: number
  readonly high?: number
  readonly batch?: boolean
}

const f = (...shape: number[]): CaseInput => ({ shape })
const positive = (...shape: number[]): CaseInput => ({ shape, low: 0.3, high: 2 })
const integers = (high: number, ...shape: number[]): CaseInput => ({ shape, dtype: "i32", low: 0, high })

const whole = (values: ReadonlyArray<number>, ...shape: number[]): Tensor =>
  ops.toInt(ops.constant(Float32Array.from(values), shape))
/** What 5 queries of 2 rows see of 7 keys. */
const visibilities: ReadonlyArray<readonly [string, () => ops.Visibility]> = [
  ["earlier keys", () => ({ causal: true })],
  ["near keys", () => ({ window: 2 })],
  ["near earlier keys and a prefix", () => ({ causal: true, window: 2, prefix: 2 })],
  ["keys from ragged starts", () => ({ causal: true, queryStart: whole([2, -1], 2) })],
  ["keys from a position of each query", () => ({ causal: true, queryStart: whole([3, 1, 5, 0, 50], 1, 5) })],
  ["none in a row", () => ({ causal: true, keyLengths: whole([0, 4], 2) })],
  ["its own segment", () => ({ prefix: 1, segments: whole([0, 0, 2, 3, 3, 5], 1, 6) })],
  ["earlier keys of its segment", () => ({
    causal: true,
    window: 2,
    keyLengths: whole([6], 1),
    segments: whole([0, 0, 0, 0, 1, 2, 2, 0, 1, 1, 1, 9, 9, 9], 2, 7),
  })],
]

const shapes = [[1], [7], [3, 5], [2, 3, 13], [0, 4], [4, 1], [2, 64]]
const unaries = {
  neg: ops.neg,
  exp: ops.exp,
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  erf: ops.erf,
  abs: ops.abs,
  sin: ops.sin,
  cos: ops.cos,
  relu: ops.relu,
  silu: ops.silu,
  gelu: ops.gelu,
  geluTanh: ops.geluTanh,
  softmax: ops.softmax,
}
const positives = { log: ops.log, sqrt: ops.sqrt, rsqrt: ops.rsqrt }
const binaries = { add: ops.add, sub: ops.sub, mul: ops.mul, div: ops.div, max: ops.max, min: ops.min }

/** All cases. */
export const cases: ReadonlyArray<OperationCase> = [
  ...shapes.flatMap((shape) => [
    ...Object.entries(unaries).map(([name, op]): OperationCase => ({
      name: `${name} [${shape}]`,
      inputs: { x: f(...shape) },
      build: ({ x }) => op(x),
    })),
    ...Object.entries(positives).map(([name, op]): OperationCase => ({
      name: `${name} [${shape}]`,
      inputs: { x: positive(...shape) },
      build: ({ x }) => op(x),
    })),
    ...Object.entries(binaries).map(([name, op]): OperationCase => ({
      name: `${name} [${shape}]`,
      inputs: { x: f(...shape), y: positive(...shape) },
      build: ({ x, y }) => op(x, y),
    })),
  ]),
  ...[[[2, 3, 5], [5]], [[2, 3, 5], [3, 1]], [[2, 1, 5], [2, 3, 1]], [[1], [2, 3]], [[2, 3, 4], []]].map(
    ([x, y]): OperationCase => ({
      name: `mul broadcast [${x}] [${y}]`,
      inputs: { x: f(...x), y: f(...y) },
      build: ({ x, y }) => ops.mul(x, y),
    }),
  ),
  ...(["less", "lessEqual", "equal"] as const).map((name): OperationCase => ({
    name,
    inputs: { x: integers(4, 3, 7), y: integers(4, 7) },
    build: ({ x, y }) => ops[name](x, y),
  })),
  {
    name: "where and floor",
    inputs: { x: f(3, 5), y: f(5), z: { ...f(3, 1), low: -3, high: 3 } },
    smooth: ["x", "y"],
    build: ({ x, y, z }) => ops.where(ops.less(z, 0), x, ops.add(y, ops.floor(z))),
  },
  {
    name: "integers",
    inputs: { x: integers(100, 5), y: integers(9, 3, 5) },
    build: ({ x, y }) => ops.toFloat(ops.max(ops.sub(ops.mul(x, y), 7), ops.toInt(ops.mul(ops.toFloat(y), 2.7)))),
  },
  {
    name: "uniform",
    inputs: { key: integers(1000, 2) },
    build: ({ key }) => ops.uniform([3, 11], 5, [ops.narrow(key, 0, 0, 1), ops.narrow(key, 0, 1, 2)]),
  },
  {
    name: "dropout",
    inputs: { x: f(7, 9), key: integers(1000, 2) },
    build: ({ x, key }) => ops.dropout(x, 0.3, 2, [ops.narrow(key, 0, 0, 1), ops.narrow(key, 0, 1, 2)]),
  },
  ...[
    [[3, 5], [1]],
    [[3, 5], [0]],
    [[3, 5], [0, 1]],
    [[2, 3, 7], [1]],
    [[2, 3, 7], [0, 2]],
    [[2, 3, 7], [0, 1]],
    [
      [2, 3, 1],
      [1],
    ],
    [[4, 1, 3, 2], [1, 2, 3]],
    [[0, 4], [0]],
    [[3, 0], [1]],
    [[2, 3, 2, 5], [0, 2]],
    [[1, 1], [0]],
  ].flatMap(
    ([shape, axes]): OperationCase[] => [
      { name: `sum [${shape}] over ${axes}`, inputs: { x: f(...shape) }, build: ({ x }) => ops.sum(x, axes) },
      {
        name: `mean [${shape}] over ${axes}`,
        inputs: { x: f(...shape) },
        build: ({ x }) => sizeOf(shape) === 0 ? ops.sum(x, axes) : ops.mean(x, axes, { keepDims: true }),
      },
      ...(sizeOf(shape) === 0 ? [] : [{
        name: `maximum [${shape}] over ${axes}`,
        inputs: { x: f(...shape) },
        build: ({ x }: Record<string, Tensor>) => ops.maximum(x, axes),
      }]),
    ],
  ),
  { name: "argmax", inputs: { x: f(3, 17) }, smooth: [], build: ({ x }) => ops.toFloat(ops.argmax(x)) },
  { name: "batchSum", inputs: { x: f(4, 3, 5) }, build: ({ x }) => ops.batchSum(x) },
  ...[[1, 1, 1], [5, 7, 3], [13, 1, 8], [1, 16, 9], [8, 8, 8], [17, 33, 11], [3, 0, 2], [0, 4, 3]].flatMap((
    [m, k, n],
  ) =>
    [[false, false], [true, false], [false, true], [true, true]].map(([transposeA, transposeB]): OperationCase => ({
      name: `matmul ${m}x${k}x${n} ${transposeA} ${transposeB}`,
      inputs: { a: transposeA ? f(k, m) : f(m, k), b: transposeB ? f(n, k) : f(k, n) },
      build: ({ a, b }) => ops.matmul(a, b, { transposeA, transposeB }),
    }))
  ),
  ...[[[2, 5, 3], [3, 4]], [[2, 5, 3], [2, 3, 4]], [[2, 1, 5, 3], [3, 3, 4]], [[5, 3], [2, 3, 4]], [[2, 3, 5, 3], [
    2,
    1,
    3,
    4,
  ]]].map(([a, b]): OperationCase => ({
    name: `matmul batched [${a}] [${b}]`,
    inputs: { a: f(...a), b: f(...b) },
    build: ({ a, b }) => ops.matmul(a, b),
  })),
  { name: "reshape", inputs: { x: f(2, 3, 4) }, build: ({ x }) => ops.mul(ops.reshape(x, [6, -1]), 2) },
  {
    name: "reshape of permute",
    inputs: { x: f(2, 3, 4) },
    build: ({ x }) => ops.exp(ops.reshape(ops.permute(x, [2, 0, 1]), [4, 6])),
  },
  { name: "transpose", inputs: { x: f(2, 3, 4) }, build: ({ x }) => ops.add(ops.transpose(x), 1) },
  {
    name: "slice and pad",
    inputs: { x: f(4, 5) },
    build: ({ x }) => ops.pad(ops.slice(x, [1, 2], [2, 3]), [0, 1], [3, 0]),
  },
  { name: "flip", inputs: { x: f(3, 5) }, build: ({ x }) => ops.sub(ops.flip(x, 1), ops.flip(x, 0)) },
  { name: "expand", inputs: { x: f(3, 1) }, build: ({ x }) => ops.expand(x, [2, 3, 4]) },
  { name: "concat", inputs: { x: f(2, 3), y: f(2, 1), z: f(2, 4) }, build: ({ x, y, z }) => ops.concat([x, y, z], 1) },
  { name: "concat with empty", inputs: { x: f(2, 3), y: f(0, 3) }, build: ({ x, y }) => ops.concat([y, x], 0) },
  {
    name: "stopGradient",
    inputs: { x: f(5), y: f(5) },
    smooth: ["y"],
    build: ({ x, y }) => ops.mul(ops.stopGradient(x), y),
  },
  { name: "gather", inputs: { t: f(11, 5), i: integers(11, 2, 7) }, build: ({ t, i }) => ops.gather(t, i) },
  {
    name: "gather of a permuted table",
    inputs: { t: f(5, 11), i: integers(11, 3) },
    build: ({ t, i }) => ops.gather(ops.transpose(t), i),
  },
  {
    name: "scatterAdd",
    inputs: { u: f(2, 7, 5), i: integers(11, 2, 7) },
    build: ({ u, i }) => ops.scatterAdd(i, u, 11),
  },
  {
    name: "scatterAdd per example",
    inputs: { u: f(2, 7, 5), i: integers(11, 2, 7) },
    build: ({ u, i }) => ops.scatterAdd(i, u, 11, true),
  },
  {
    name: "updateSlice",
    inputs: { s: f(2, 9, 3), u: f(2, 2, 3), at: { ...integers(7, 1) } },
    smooth: [],
    build: ({ s, u, at }) => ops.updateSlice(s, u, at, 1),
  },
  {
    name: "updateSlice at a place of each row, in some of the rows",
    inputs: { s: f(3, 9, 4), u: f(2, 2, 3), at: { ...integers(7, 2) } },
    smooth: [],
    build: ({ s, u, at }) => ops.updateSlice(s, u, at, 1),
  },
  {
    name: "updateSlice at a row and a place of each row",
    inputs: { s: f(5, 3, 9, 4), u: f(3, 2, 2, 3) },
    smooth: [],
    build: ({ s, u }) => ops.updateSlice(s, u, ops.constant(Int32Array.of(4, 7, 0, 2, 3, 0), [3, 2]), 2),
  },
  {
    name: "updateSlice at a row and a place of one row",
    inputs: { s: f(2, 9, 4), u: f(1, 2, 3) },
    smooth: [],
    build: ({ s, u }) => ops.updateSlice(s, u, ops.constant(Int32Array.of(1, 5), [1, 2]), 1),
  },
  {
    name: "rotary by row",
    inputs: { x: f(2, 3, 5, 6), c: f(2, 1, 5, 3), s: f(2, 1, 5, 3) },
    smooth: ["x"],
    build: ({ x, c, s }) => ops.rotary(x, c, s),
  },
  {
    name: "rmsNorm",
    inputs: { x: f(2, 3, 13), w: positive(13) },
    build: ({ x, w }) => ops.rmsNorm(x, w, 1e-5),
  },
  {
    name: "layerNorm",
    inputs: { x: f(2, 3, 13), w: positive(13), b: f(13) },
    build: ({ x, w, b }) => ops.layerNorm(x, w, b, 1e-5),
  },
  {
    name: "rotary",
    inputs: { x: f(2, 3, 5, 6), c: f(5, 3), s: f(5, 3) },
    smooth: ["x"],
    build: ({ x, c, s }) => ops.rotary(x, c, s),
  },
  {
    name: "causalConvolution",
    inputs: { x: f(2, 7, 5), w: f(5, 3) },
    build: ({ x, w }) => ops.causalConvolution(x, w),
  },
  {
    name: "causalConvolution of rows with several sequences",
    inputs: { x: f(2, 7, 5), w: f(5, 3), p: integers(4, 1, 7) },
    build: ({ x, w, p }) => ops.causalConvolution(x, w, p),
  },
  {
    name: "crossEntropy",
    inputs: { x: { ...f(2, 5, 11), low: -4, high: 4 }, y: { ...integers(11, 2, 5), low: -2 } },
    build: ({ x, y }) => ops.crossEntropy(x, y),
  },
  ...[1, 2].map((shared): OperationCase => ({
    name: `attention with 4 heads over ${shared}`,
    inputs: { q: f(2, 4, 5, 6), k: f(2, shared, 7, 6), v: f(2, shared, 7, 3), n: integers(8, 2) },
    build: ({ q, k, v, n }) => ops.attention(q, k, v, { keyLengths: n }),
  })),
  ...[[0, 7], [5, 0]].map(([queries, keys]): OperationCase => ({
    name: `attention of ${queries} queries and ${keys} keys`,
    inputs: { q: f(2, 4, queries, 6), k: f(2, 2, keys, 6), v: f(2, 2, keys, 3) },
    build: ({ q, k, v }) => ops.attention(q, k, v),
  })),
  {
    name: "attention with a factor on its weights",
    inputs: { q: f(2, 4, 5, 6), k: f(2, 2, 7, 6), v: f(2, 2, 7, 3), d: f(2, 4, 5, 7) },
    build: ({ q, k, v, d }) => ops.attention(q, k, v, {}, { factor: d, scale: 0.5 }),
  },
  ...[1, 3, 4].map((period): OperationCase => ({
    name: `attention with a factor that repeats after ${period} keys`,
    inputs: { q: f(2, 4, 5, 2), k: f(2, 2, 7, 2), v: f(2, 2, 7, 1), d: f(2, 4, 5, period) },
    build: ({ q, k, v, d }) => ops.attention(q, k, v, { causal: true }, { factor: d }),
  })),
  {
    name: "attention with a bound on its scores",
    inputs: { q: f(2, 4, 5, 6), k: f(2, 2, 7, 6), v: f(2, 2, 7, 3), n: integers(8, 2) },
    build: ({ q, k, v, n }) => ops.attention(q, k, v, { causal: true, keyLengths: n }, { softCap: 0.7, scale: 2 }),
  },
  ...[8, 16].map((size): OperationCase => ({
    name: `attention over pages of ${size}`,
    inputs: {
      q: f(2, 4, 5, 6),
      k: f(7, size, 2, 6),
      v: f(7, size, 2, 3),
      pages: integers(7, 2, 3),
      n: integers(24, 2),
    },
    smooth: [],
    build: ({ q, k, v, pages, n }) => ops.attention(q, k, v, { pages, keyLengths: n }),
  })),
  ...([[2, 4, 5, 7], [1, 4, 5, 7], [2, 1, 1, 7], [1, 4, 1, 1], [1, 1, 5, 1]] as const).map((bias): OperationCase => ({
    name: `attention with a bias [${bias}] on its scores`,
    inputs: { q: f(2, 4, 5, 2), k: f(2, 2, 7, 2), v: f(2, 2, 7, 1), b: f(...bias) },
    // A bias that is the same for all keys changes nothing: its derivative is 0, and all that comes out is rounding.
    ...(bias[3] === 1 ? { smooth: ["q", "k", "v"] } : {}),
    build: ({ q, k, v, b }) =>
      ops.attention(q, k, v, { causal: true, queryStart: ops.full(2, [1], "i32") }, { bias: b }),
  })),
  ...visibilities.map(([name, visibility]): OperationCase => ({
    name: `attention that sees ${name}`,
    inputs: { q: f(2, 2, 5, 2), k: f(2, 1, 7, 2), v: f(2, 1, 7, 1), d: f(2, 2, 5, 7), b: f(2, 5, 7) },
    build: ({ q, k, v, d, b }) =>
      ops.attention(q, k, v, visibility(), { factor: d, bias: ops.reshape(b, [1, 2, 5, 7]) }),
  })),
]

/** Reproducible data for the inputs of a case. */
export function dataOf(test: OperationCase): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(test.inputs).map(([name, { shape, dtype = "f32", low = -1, high = 1 }], salt) => [
      name,
      new Float64Array(sizeOf(shape)).map((_, i) => {
        const x = low + (high - low) * uniformAt(i, salt + 1, 7, 9)
        return dtype === "i32" ? Math.floor(x) : Math.fround(x)
      }),
    ]),
  )
}

/** The inputs of a case as tensors. */
export function inputsOf(test: OperationCase): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(test.inputs).map(([name, { shape, dtype = "f32", batch = false }]) => [
      name,
      ops.input(name, shape, { dtype, batch }),
    ]),
  )
}

/** A scalar that weighs each element of a tensor differently. */
export function scalar(x: Tensor): Tensor {
  const weights = new Float32Array(sizeOf(x.shape)).map((_, i) => uniformAt(i, 99, 1, 2) + 0.5)
  return ops.sum(ops.mul(x, ops.constant(weights, x.shape)))
}
