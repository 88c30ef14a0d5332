/**
 * What the shaders of a product share: sizes and distances as parameters (so that all products of one form share a
 * pipeline, as these long texts take a second to compile on a CPU), and the way from a workgroup to its tile.
 * @module
 */
import { sizeOf } from "../../../core/tensor/shape.ts"
import type { DType, Instruction } from "../../contract.ts"
import { type KernelContext, lineOfWorkgroups, type Shader } from "../../wgsl/kernel.ts"
import { PARAMETERS } from "../../wgsl/places.ts"
import type { Product } from "../product.ts"

/** A view that an epilogue reads or writes, beside the output. */
export interface BesideView {
  /** Number of the buffer. */
  readonly buffer: number
  /** What its elements are. */
  readonly dtype: DType
  /** First element. */
  readonly first: number
  /** Distances along m and n, and along each batch axis. */
  readonly m: number
  readonly n: number
  readonly batch: readonly number[]
}

/** An epilogue with the distances of the merged product. */
export interface TaskEpilogue {
  /** As in the contract. */
  readonly body: ReadonlyArray<Instruction>
  /** Number of the step that the output holds. */
  readonly result: number
  /** Further steps that are stored. */
  readonly also: ReadonlyArray<number>
  /** Where the body's operands from the second on lie, then where `also` goes. */
  readonly views: ReadonlyArray<BesideView>
  /** Shape of the product before its axes were merged. */
  readonly shape: ReadonlyArray<number>
}

/** A product with the places of its operands, cut along k into parts. */
export interface Task extends Omit<Product, "output" | "beside"> {
  /** Distances in the output. */
  readonly output: { readonly m: number; readonly n: number }
  /** The first elements. */
  readonly first: { readonly a: number; readonly b: number; readonly output: number }
  /** Numbers of the buffers. */
  readonly buffers: { readonly a: number; readonly b: number; readonly output: number }
  /** Terms of one part, and how many parts there are. */
  readonly chunk: number
  readonly parts: number
  /** Distance in the output between parts. */
  readonly partStep: number
  /** What is done with the elements before they are stored: only where there is one part, and rows are not columns. */
  readonly epilogue: TaskEpilogue | undefined
}

/** Which way four neighbours lie in an operand that is bound as `vec4<f32>`; `none`: bound as `f32`. */
export type Fours = "k" | "across" | "none"
/** How a task's operands are bound; the output's fours lie along n. */
export interface Layout {
  readonly a: Fours
  readonly b: Fours
  readonly output: Fours
  /** Of each view of the epilogue. */
  readonly beside: ReadonlyArray<Fours>
}

/** The same product with rows and columns exchanged; without an epilogue. */
export const exchanged = (task: Task): Task => ({
  ...task,
  m: task.n,
  n: task.m,
  a: { m: task.b.n, k: task.b.k },
  b: { k: task.a.k, n: task.a.m },
  output: { m: task.output.n, n: task.output.m },
  batch: task.batch.map((axis) => ({ ...axis, a: axis.b, b: axis.a })),
  first: { ...task.first, a: task.first.b, b: task.first.a },
  buffers: { ...task.buffers, a: task.buffers.b, b: task.buffers.a },
})

/**
 * Where fours may be read and written: neighbours, whole fours of them, all of which begin at multiples of four.
 *
 * @param only The only operand that may be bound so. Default: all may.
 */
export const layoutOf = (task: Task, only?: "b" | "none"): Layout => {
  const { m, n, k, a, b, output, batch, first, chunk, buffers } = task
  const fours = (...distances: ReadonlyArray<number>) => distances.every((distance) => distance % 4 === 0)
  const way = (across: number, along: number, extent: number, start: number, steps: ReadonlyArray<number>): Fours =>
    across === 1 && fours(extent, along, start, ...steps)
      ? "across"
      : along === 1 && fours(k, chunk, across, start, ...steps)
      ? "k"
      : "none"
  const row = (n1: number, m1: number, start: number, steps: ReadonlyArray<number>): Fours =>
    n1 === 1 && fours(n, m1, start, ...steps) ? "across" : "none"
  const views = task.epilogue?.views ?? []
  const rest: Fours | undefined = only === undefined ? undefined : "none"
  const ways = [
    { buffer: buffers.a, way: rest ?? way(a.m, a.k, m, first.a, batch.map((axis) => axis.a)) },
    {
      buffer: buffers.b,
      way: only === "none" ? only : way(b.n, b.k, n, first.b, batch.map((axis) => axis.b)),
    },
    {
      buffer: buffers.output,
      way: rest ?? row(output.n, output.m, first.output, [task.partStep, ...batch.map((axis) => axis.output)]),
    },
    ...views.map((view) => ({
      buffer: view.buffer,
      way: rest ?? (view.dtype === "f32" ? row(view.n, view.m, view.first, view.batch) : "none"),
    })),
  ]
  // One shader sees a buffer in one way only.
  const single = new Set(ways.flatMap(({ buffer, way }) => way === "none" ? [buffer] : []))
  const [wayA, wayB, wayOutput, ...beside] = ways.map(({ buffer, way }) => single.has(buffer) ? "none" : way)
  return { a: wayA, b: wayB, output: wayOutput, beside }
}

/** Axes whose coordinates a body asks for and that are parts of the row's number: all but the last. */
const rowAxes = ({ body, shape }: TaskEpilogue): ReadonlyArray<number> => [
  ...new Set(body.flatMap((step) => step.op === "index" && step.axis < shape.length - 1 ? [step.axis] : [])),
]

/** The beginning of a shader. */
export interface Opening {
  /** Workgroups along each axis. */
  readonly workgroups: readonly [number, number, number]
  /** Text in front of `main`'s body; `line` are the statements. */
  readonly header: (threads: number) => string
  /**
   * Statements that define, as u32: `m n k`, the distances `a_m a_k b_k b_n o_m o_n`, the tile's first `row` and
   * `column`, the first places `a_at b_at o_at`, and the terms `begin` <= k < `end` of this part. Places and distances
   * count fours where an operand is bound so; along the fours' own way the distance is meaningless. For view v of the
   * epilogue the same with the name `ev`; where it asks for coordinates, `rows_before` in earlier entries of the batch.
   */
  readonly statements: ReadonlyArray<string>
}

/** Begins a shader whose workgroups each do a tile of `rows` x `columns` of one part of one batch entry. */
export const open = (
  task: Task,
  layout: Layout,
  rows: number,
  columns: number,
  shader: Shader,
  context: KernelContext,
): Opening => {
  const { m, n, k, batch, first, parts, epilogue } = task
  const tiles = [Math.ceil(m / rows), Math.ceil(n / columns)]
  const count = batch.reduce((product, { extent }) => product * extent, tiles[0] * tiles[1] * parts)
  const { workgroups, number, exact } = lineOfWorkgroups(count, context.device)
  const scale = (distance: number, fours: Fours) => fours === "none" ? distance : Math.trunc(distance / 4)
  const values: Array<number> = []
  const statements: Array<string> = []
  const named: Array<string> = []
  const parameter = (name: string, value: number): void => {
    values.push(value)
    named.push(name)
  }
  parameter("m", m)
  parameter("n", n)
  parameter("k", k)
  parameter("chunk", task.chunk)
  parameter("count", count)
  parameter("tiles_m", tiles[0])
  parameter("tiles_n", tiles[1])
  parameter("a_0", scale(first.a, layout.a))
  parameter("a_m", scale(task.a.m, layout.a))
  parameter("a_k", scale(task.a.k, layout.a))
  parameter("b_0", scale(first.b, layout.b))
  parameter("b_k", scale(task.b.k, layout.b))
  parameter("b_n", scale(task.b.n, layout.b))
  parameter("o_0", scale(first.output, layout.output))
  parameter("o_m", scale(task.output.m, layout.output))
  parameter("o_n", scale(task.output.n, layout.output))
  parameter("o_part", scale(task.partStep, layout.output))
  batch.forEach((axis, i) => {
    parameter(`extent${i}`, axis.extent)
    parameter(`a_${i + 1}`, scale(axis.a, layout.a))
    parameter(`b_${i + 1}`, scale(axis.b, layout.b))
    parameter(`o_${i + 1}`, scale(axis.output, layout.output))
  })
  const views = epilogue?.views ?? []
  views.forEach((view, v) => {
    const way = layout.beside[v]
    parameter(`e${v}_0`, scale(view.first, way))
    parameter(`e${v}_m`, scale(view.m, way))
    parameter(`e${v}_n`, scale(view.n, way))
    view.batch.forEach((distance, i) => parameter(`e${v}_${i + 1}`, scale(distance, way)))
  })
  const coordinates = epilogue === undefined ? [] : rowAxes(epilogue)
  for (const axis of coordinates) {
    parameter(`inner${axis}`, sizeOf(epilogue!.shape.slice(axis + 1, -1)))
    parameter(`size${axis}`, epilogue!.shape[axis])
  }
  const table = shader.read(context.constants(values))
  named.forEach((name, i) => statements.push(`let ${name} = u32(${table.load(`${i}u`)});`))
  statements.push(
    `let number = ${number};`,
    ...exact ? [] : [`if (number >= count) { return; }`],
    // Neighbouring workgroups share their columns of b, which stay in the cache.
    `let row = number % tiles_m * ${rows}u;`,
    `let tile = number / tiles_m;`,
    `let column = tile % tiles_n * ${columns}u;`,
    `let entry${batch.length} = tile / tiles_n;`,
  )
  for (let i = batch.length - 1; i >= 0; i--) {
    statements.push(`let i${i} = entry${i + 1} % extent${i};`, `let entry${i} = entry${i + 1} / extent${i};`)
  }
  const at = (name: string) => [`${name}_0`, ...batch.map((_, i) => `i${i} * ${name}_${i + 1}`)].join(" + ")
  statements.push(
    `let a_at = ${at("a")};`,
    `let b_at = ${at("b")};`,
    `let o_at = ${at("o")} + entry0 * o_part;`,
    `let begin = entry0 * chunk;`,
    `let end = min(begin + chunk, k);`,
    ...views.map((_, v) => `let e${v}_at = ${at(`e${v}`)};`),
    ...coordinates.length === 0 ? [] : [`let rows_before = tile / tiles_n * m;`],
  )
  return {
    workgroups,
    header: (threads) => `@compute @workgroup_size(${threads}) fn main(${PARAMETERS}) {`,
    statements,
  }
}
