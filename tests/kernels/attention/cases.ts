import { attentionReference } from "../../../kernels/attention/reference.ts"
import type { View } from "../../../kernels/contract.ts"
import type { AttentionCall, Visibility } from "../../../kernels/attention/call.ts"
import type { AttentionGradientCall } from "../../../kernels/attention_gradient/call.ts"
import { type Case, noise, size, view } from "../compare.ts"

/**
 * Which keys queries see. Causal ones have further keys before them; padding leaves the last rows less and less; in a band
 * some queries stand far outside and see nothing.
 */
type Visible =
  | "all"
  | "causal"
  | "padding"
  | "empty rows"
  | "band"
  | "window"
  | "wide window"
  | "window of one"
  | "prefix"
  | "window and prefix"
  | "window and long prefix"
  | "segments"
  | "causal segments"
  | "single segments"
  | "segments and prefix"
  | "ragged"
  | "everything"

/** One problem, from which a forward and a backward case are made. */
interface Problem {
  readonly name: string
  readonly batch: number
  readonly shared: number
  readonly group: number
  readonly queries: number
  readonly keys: number
  /** Of queries and keys. */
  readonly width: number
  /** Of values. Default: `width`. */
  readonly valueWidth?: number
  readonly visibility: Visible
  /** Axes of the bias that do not repeat, of batch, shared, group, queries, keys. Default: no bias. */
  readonly bias?: ReadonlyArray<number>
  readonly factor?: boolean
  /** Columns of the factor. Default: one for each key. */
  readonly period?: number
  /** Keys of a page, a multiple of 8. Default: keys lie in rows. Forward only. */
  readonly page?: number
  /** Whether heads of one token lie side by side, as projections leave them. */
  readonly tokens?: boolean
  /** Size of the numbers in q and k. Default 1. */
  readonly amplitude?: number
  /** Which derivatives are asked for. Default: all. */
  readonly derivatives?: ReadonlyArray<"dq" | "dk" | "dv">
}

const PROBLEMS: ReadonlyArray<Problem> = [
  { name: "one of all", batch: 1, shared: 1, group: 1, queries: 1, keys: 1, width: 1, visibility: "all" },
  {
    name: "small",
    batch: 2,
    shared: 2,
    group: 1,
    queries: 32,
    keys: 32,
    width: 16,
    visibility: "padding",
    tokens: true,
  },
  {
    name: "odd sizes",
    batch: 2,
    shared: 1,
    group: 1,
    queries: 7,
    keys: 13,
    width: 5,
    valueWidth: 9,
    visibility: "all",
    factor: true,
  },
  {
    name: "odd sizes, causal, groups",
    batch: 1,
    shared: 2,
    group: 3,
    queries: 17,
    keys: 17,
    width: 6,
    valueWidth: 3,
    visibility: "causal",
    tokens: true,
  },
  {
    name: "queries that see nothing",
    batch: 2,
    shared: 1,
    group: 2,
    queries: 19,
    keys: 23,
    width: 8,
    visibility: "band",
    factor: true,
  },
  { name: "one key", batch: 3, shared: 2, group: 2, queries: 5, keys: 1, width: 4, visibility: "all", tokens: true },
  {
    name: "earlier keys",
    batch: 2,
    shared: 1,
    group: 3,
    queries: 9,
    keys: 31,
    width: 12,
    visibility: "causal",
    tokens: true,
  },
  {
    name: "one query, long past",
    batch: 1,
    shared: 3,
    group: 3,
    queries: 1,
    keys: 517,
    width: 64,
    visibility: "padding",
    tokens: true,
  },
  {
    name: "an encoder's head",
    batch: 2,
    shared: 3,
    group: 1,
    queries: 128,
    keys: 128,
    width: 32,
    visibility: "padding",
    tokens: true,
  },
  {
    name: "a decoder's heads",
    batch: 1,
    shared: 1,
    group: 3,
    queries: 131,
    keys: 131,
    width: 64,
    visibility: "causal",
    tokens: true,
    factor: true,
  },
  {
    name: "many keys with a gap",
    batch: 1,
    shared: 1,
    group: 2,
    queries: 21,
    keys: 611,
    width: 8,
    visibility: "window and prefix",
    factor: true,
  },
  {
    name: "large scores",
    batch: 1,
    shared: 2,
    group: 1,
    queries: 14,
    keys: 40,
    width: 16,
    visibility: "causal",
    amplitude: 8,
  },
  {
    name: "many heads in groups",
    batch: 4,
    shared: 2,
    group: 2,
    queries: 70,
    keys: 41,
    width: 8,
    visibility: "padding",
    tokens: true,
  },
  {
    name: "many heads of odd sizes",
    batch: 2,
    shared: 3,
    group: 2,
    queries: 37,
    keys: 45,
    width: 10,
    valueWidth: 7,
    visibility: "band",
    factor: true,
  },
  {
    name: "five queries of odd width",
    batch: 2,
    shared: 1,
    group: 1,
    queries: 5,
    keys: 43,
    width: 7,
    valueWidth: 21,
    visibility: "causal",
    tokens: true,
  },
  {
    name: "only queries",
    batch: 1,
    shared: 1,
    group: 2,
    queries: 15,
    keys: 18,
    width: 7,
    visibility: "causal",
    derivatives: ["dq"],
  },
  {
    name: "only values",
    batch: 1,
    shared: 2,
    group: 2,
    queries: 11,
    keys: 10,
    width: 4,
    visibility: "band",
    derivatives: ["dv"],
  },
  { name: "few keys", batch: 2, shared: 2, group: 1, queries: 7, keys: 3, width: 4, visibility: "all", tokens: true },
  {
    name: "few keys in the last chunk",
    batch: 1,
    shared: 2,
    group: 1,
    queries: 13,
    keys: 1443,
    width: 4,
    visibility: "all",
  },
  { name: "no keys", batch: 2, shared: 1, group: 2, queries: 7, keys: 0, width: 5, visibility: "causal", factor: true },
  { name: "no keys for many heads", batch: 4, shared: 4, group: 1, queries: 9, keys: 0, width: 4, visibility: "all" },
  { name: "no queries", batch: 2, shared: 1, group: 2, queries: 0, keys: 7, width: 5, visibility: "causal" },
  { name: "no queries of many heads", batch: 4, shared: 4, group: 1, queries: 0, keys: 9, width: 4, visibility: "all" },
  {
    name: "only keys",
    batch: 1,
    shared: 1,
    group: 1,
    queries: 70,
    keys: 300,
    width: 4,
    valueWidth: 8,
    visibility: "band",
    derivatives: ["dk"],
  },
  ...([
    "empty rows",
    "window",
    "wide window",
    "window of one",
    "prefix",
    "window and prefix",
    "segments",
    "causal segments",
    "single segments",
    "segments and prefix",
    "ragged",
    "everything",
  ] as const).map((visibility, i): Problem => ({
    name: visibility,
    batch: 3,
    shared: 1,
    group: 1 + i % 2,
    queries: 29,
    keys: 37,
    width: 6,
    valueWidth: 5,
    visibility,
    tokens: true,
    factor: i % 3 === 0,
    ...(i % 4 === 0 ? { bias: [1, 2, 3, 4] } : {}),
  })),
  ...[[], [3], [4], [0, 1, 2, 3, 4]].map((bias, i): Problem => ({
    name: `a bias along axes [${bias}]`,
    batch: 2,
    shared: 2,
    group: 2,
    queries: 13,
    keys: 21,
    width: 8,
    visibility: i % 2 === 0 ? "causal" : "padding",
    bias,
    factor: i === 3,
  })),
  {
    name: "one query of each row, ragged",
    batch: 3,
    shared: 2,
    group: 3,
    queries: 1,
    keys: 77,
    width: 16,
    visibility: "ragged",
    bias: [1, 2, 4],
    tokens: true,
  },
  {
    name: "a long row with a window",
    batch: 1,
    shared: 1,
    group: 2,
    queries: 700,
    keys: 700,
    width: 4,
    visibility: "window",
    derivatives: ["dq", "dk", "dv"],
  },
  {
    name: "a long row of segments",
    batch: 1,
    shared: 1,
    group: 1,
    queries: 650,
    keys: 650,
    width: 8,
    visibility: "causal segments",
    factor: true,
  },
  ...([["causal segments", 300], ["all", 23], ["window and prefix", 1]] as const).map((
    [visibility, period],
  ): Problem => ({
    name: `a factor that repeats after ${period} keys`,
    batch: 1,
    shared: 2,
    group: 2,
    queries: 19,
    keys: 611,
    width: 5,
    visibility,
    factor: true,
    period,
  })),
  ...([
    ["causal", 19, 48, 8],
    ["ragged", 29, 96, 16],
    ["window and prefix", 40, 640, 64],
    ["everything", 29, 40, 8],
    ["padding", 1, 96, 24],
    ["ragged", 1, 64, 8],
    ["empty rows", 1, 32, 8],
    ["segments", 4, 32, 32],
  ] as const).map(([visibility, queries, keys, page], i): Problem => ({
    name: `${visibility} over pages of ${page}, ${queries} queries`,
    batch: 3,
    shared: 2,
    group: 1 + i % 3,
    queries,
    keys,
    width: 6,
    valueWidth: 5 + i,
    visibility,
    page,
    tokens: true,
    factor: i === 0,
    derivatives: [],
    ...(i === 3 ? { bias: [1, 3, 4] } : {}),
  })),
  {
    name: "a prefix longer than a chunk, and a gap",
    batch: 1,
    shared: 1,
    group: 2,
    queries: 101,
    keys: 733,
    width: 4,
    visibility: "window and long prefix",
    factor: true,
  },
  { name: "a prefix alone", batch: 2, shared: 1, group: 1, queries: 9, keys: 4, width: 4, visibility: "prefix" },
]

/** Tensors of one problem, each in a buffer by its name. */
class Tensors {
  readonly buffers: Array<Case["buffers"][number]> = []
  /** A view in `order` of memory (outermost first), in a buffer that has elements before and behind it. */
  add(shape: number[], order: number[], data: (size: number, seed: number) => Float32Array<ArrayBuffer>): View {
    const strides = shape.map(() => 0)
    order.reduceRight((step, axis) => {
      strides[axis] = step
      return step * shape[axis]
    }, 1)
    const buffer = this.buffers.length
    this.buffers.push(data(size(shape) + 8, buffer + 1))
    return view(buffer, shape, strides, 4)
  }
  /** A table of integers of one or two axes, behind others. */
  integers(shape: number[], value: (row: number, column: number) => number): View {
    const [rows, length = 1] = shape
    const numbers = Int32Array.from(
      { length: 2 + rows * length },
      (_, i) => i < 2 ? 99 : value(Math.floor((i - 2) / length), (i - 2) % length),
    )
    const buffer = this.buffers.push(numbers) - 1
    return view(buffer, shape, shape.length === 1 ? [1] : [length, 1], 2)
  }
}

/** Adds the tables of a visibility. */
const visibilityOf = ({ visibility, batch, queries, keys }: Problem, tensors: Tensors): Visibility => {
  const table = (shape: number[], value: (b: number, i: number) => number): View => {
    const own = tensors.integers(shape, value)
    return {
      ...own,
      shape: [batch, ...shape.slice(1)],
      strides: [shape[0] === batch ? own.strides[0] : 0, ...own.strides.slice(1)],
    }
  }
  const open = { prefix: 0, causal: false }
  const last = { ...open, causal: true, queryPositions: table([1, queries], (_, t) => t + keys - queries) }
  /** Lengths 1, 2, 3 ... of segments whose numbers leave gaps. */
  const segments = (prefix: number) =>
    table([batch, keys - prefix], (b, j) => 2 * Math.floor((Math.sqrt(8 * (j + 3 * b) + 1) - 1) / 2))
  const lengths = (least: number) => table([batch], (b) => Math.max(least, keys - (b + 1) * Math.floor(keys / 3)))
  const prefix = Math.min(keys, 9)
  switch (visibility) {
    case "all":
      return open
    case "causal":
      return queries === keys ? { ...open, causal: true } : last
    case "padding":
      return { ...open, keyLengths: lengths(0) }
    case "empty rows":
      return { ...open, causal: true, keyLengths: table([batch], (b) => b === 1 ? 5 : 0) }
    case "band": {
      const queryPositions = table([batch, queries], (b, t) => (t + b) % 5 === 3 ? -50 : t)
      return { ...open, window: 5, queryPositions }
    }
    case "window":
      return { ...open, causal: true, window: 11 }
    case "wide window":
      return { ...last, window: 1000 }
    case "window of one":
      return { ...open, window: 1 }
    case "prefix":
      return { ...open, causal: true, prefix: Math.min(keys, 4) }
    case "window and prefix":
      return { ...last, prefix, window: 6 }
    case "window and long prefix":
      return { ...open, causal: true, prefix: 330, window: 11, queryPositions: table([1, queries], (_, t) => 4 * t) }
    case "segments":
      return { ...open, segments: segments(0) }
    case "causal segments":
      return { ...open, causal: true, segments: segments(0) }
    case "single segments":
      return { ...open, segments: table([1, keys], (_, j) => j) }
    case "segments and prefix":
      return { ...open, prefix, segments: segments(prefix) }
    case "ragged":
      return { ...open, causal: true, queryPositions: table([batch, queries], (b, t) => 11 * b + t - 1) }
    case "everything": {
      const queryPositions = table([batch, queries], (b, t) => 2 * b + t)
      return { prefix, causal: true, window: 3, queryPositions, keyLengths: lengths(1), segments: segments(prefix) }
    }
  }
}

const forwardCase = (problem: Problem): Case & { readonly call: AttentionCall } => {
  const {
    name,
    batch,
    shared,
    group,
    queries,
    keys,
    width,
    valueWidth = width,
    factor,
    period = keys,
    page,
    tokens,
    amplitude = 1,
  } = problem
  const tensors = new Tensors()
  const add = tensors.add.bind(tensors)
  const large = (count: number, seed: number) => noise(count, seed).map((x) => x * amplitude)
  const rows = tokens ? [0, 3, 1, 2, 4] : [0, 1, 2, 3, 4], pasts = tokens ? [0, 2, 1, 3] : [0, 1, 2, 3]
  const q = add([batch, shared, group, queries, width], rows, large)
  // A pool with a page more than is named, in another order.
  const named = page === undefined ? 0 : keys / page, inPool = batch * named + 1
  const lies = page === undefined ? [batch, shared, keys] : [inPool, shared, page]
  const k = add([...lies, width], pasts, large)
  const v = add([...lies, valueWidth], pasts, noise)
  const pages = page === undefined ? {} : {
    pages: tensors.integers([batch, named], (b, j) => 1 + (7 * (b * named + j) + 3) % (inPool - 1)),
  }
  const visibility = visibilityOf(problem, tensors)
  const repeated = (axes: ReadonlyArray<number>): View => {
    const whole = [batch, shared, group, queries, keys]
    const own = add(
      whole.map((extent, axis) => axes.includes(axis) ? extent : Math.min(1, extent)),
      [0, 1, 2, 3, 4],
      large,
    )
    return { ...own, shape: whole, strides: own.strides.map((stride, axis) => axes.includes(axis) ? stride : 0) }
  }
  const bias = problem.bias && repeated(problem.bias)
  // As dropout: some weights vanish, the others grow.
  const factors = (count: number, seed: number) => noise(count, seed).map((x) => x < -0.6 ? 0 : 1.25)
  const factorView = factor ? add([batch, shared, group, queries, period], [0, 1, 2, 3, 4], factors) : undefined
  const output = add([batch, shared, group, queries, valueWidth], rows, noise)
  const logSum = add([batch, shared, group, queries], [0, 1, 2, 3], noise)
  return {
    name,
    call: {
      kernel: "attention",
      scale: 1 / Math.sqrt(width),
      q,
      k,
      v,
      ...pages,
      ...visibility,
      ...(bias ? { bias } : {}),
      ...(factorView ? { factor: factorView } : {}),
      output,
      logSum,
    },
    buffers: tensors.buffers,
    tolerance: amplitude > 1 ? 3e-5 : 3e-6,
  }
}

const gradientCase = (problem: Problem): Case => {
  const { call, buffers, name } = forwardCase(problem)
  const { batch, shared, group, queries, keys, width, valueWidth = width, tokens, amplitude = 1 } = problem
  const { output, logSum, kernel: _, ...operands } = call
  const exact = buffers.map((data) => Float64Array.from(data))
  attentionReference(call, exact)
  const tensors = new Tensors()
  // All that the first call reads stays; the output's place is the cotangent's, as it has its shape.
  tensors.buffers.push(...buffers)
  tensors.buffers[logSum!.buffer] = Float32Array.from(exact[logSum!.buffer])
  const cotangent = output
  const delta = tensors.add([batch, shared, group, queries], [0, 1, 2, 3], (count) => {
    const sums = new Float32Array(count)
    const [b, h, g, t] = output.strides
    for (let row = 0; row < batch * shared * group * queries; row++) {
      const at = output.offset + row % queries * t + Math.floor(row / queries) % group * g +
        Math.floor(row / queries / group) % shared * h + Math.floor(row / queries / group / shared) * b
      for (let e = 0; e < valueWidth; e++) {
        sums[4 + row] += exact[output.buffer][at + e] * buffers[output.buffer][at + e]
      }
    }
    return sums
  })
  const rows = tokens ? [0, 3, 1, 2, 4] : [0, 1, 2, 3, 4], pasts = tokens ? [0, 2, 1, 3] : [0, 1, 2, 3]
  const wanted = problem.derivatives ?? ["dq", "dk", "dv"]
  const derivatives = Object.fromEntries(wanted.map((name) => [
    name,
    name === "dq"
      ? tensors.add([batch, shared, group, queries, width], rows, noise)
      : tensors.add([batch, shared, keys, name === "dk" ? width : valueWidth], pasts, noise),
  ]))
  const gradient: AttentionGradientCall = {
    kernel: "attention_gradient",
    ...operands,
    logSum: logSum!,
    cotangent,
    delta,
    ...derivatives,
  }
  return { name, call: gradient, buffers: tensors.buffers, tolerance: amplitude > 1 ? 3e-5 : 5e-6 }
}

/** Calls of `attention` with their buffers. */
export const attentionCases: ReadonlyArray<Case> = PROBLEMS.map(forwardCase)
/** Calls of `attention_gradient` with their buffers. */
export const attentionGradientCases: ReadonlyArray<Case> = PROBLEMS.filter(({ page }) => page === undefined).map(
  gradientCase,
)
