/**
 * The end of a product in WGSL: what is done with four elements of a row before they are stored.
 * @module
 */
import { neededSteps, perRowSteps } from "../../analysis.ts"
import type { DType } from "../../contract.ts"
import { bodyWriter, type Lanes, typeName } from "../../wgsl/body.ts"
import type { Shader } from "../../wgsl/kernel.ts"
import type { Fours, Layout, Task, TaskEpilogue } from "./task.ts"

/** The product is stored as it is. */
const NOTHING: TaskEpilogue = {
  body: [{ op: "load", operand: 0, dtype: "f32" }],
  result: 0,
  also: [],
  views: [],
  shape: [],
}

/** How four elements of a row are stored. */
export interface Ending {
  /**
   * Statements for the four sums `value`.
   *
   * @param row Expression of their row.
   * @param column Expression of the first column, a multiple of four.
   */
  readonly store: (value: string, row: string, column: string) => string
  /** Declarations that the statements so far need. */
  readonly declarations: () => string
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Element that a view is bound as. */
const elementOf = (dtype: DType, way: Fours) => way === "none" ? dtype : "vec4<f32>"

/** Begins to write the ends of a shader's rows. */
export const ending = (task: Task, layout: Layout, shader: Shader): Ending => {
  const { body, result, also, views, shape } = task.epilogue ?? NOTHING
  const inputs = views.length - also.length
  const output = shader.write(task.buffers.output, elementOf("f32", layout.output))
  const needed = neededSteps(body, [result, ...also])
  const strides = [[1, 1], ...views.slice(0, inputs).map(({ n }) => [1, n])]
  const last = shape.length - 1
  const axes = shape.map((_, axis) => axis === last ? 1 : 0)
  const alike = perRowSteps(body, strides, axes, 1)
  const writer = bodyWriter(body, alike.map((one) => one ? 1 : 4))

  const column = (j: number) => j === 0 ? "c" : `c + ${j}u`
  const place = (name: string, four: Fours, j: number) =>
    four === "none" ? `${name}_at + r * ${name}_m + (${column(j)}) * ${name}_n` : `${name}_at + r * ${name}_m + c / 4u`
  const load = (operand: number, lanes: Lanes, dtype: DType): string => {
    if (operand === 0) return "four"
    const v = operand - 1, way = layout.beside[v]
    const view = shader.read(views[v].buffer, elementOf(dtype, way))
    return way !== "none" || lanes === 1
      ? view.load(place(`e${v}`, way, 0))
      : `${typeName(dtype, 4)}(${range(4).map((j) => view.load(place(`e${v}`, way, j))).join(", ")})`
  }
  /** The coordinate along an axis: the column's, or a part of the row's number. */
  const index = (axis: number, lanes: Lanes): string =>
    axis < last
      ? `i32((rows_before + r) / inner${axis} % size${axis})`
      : lanes === 1
      ? "i32(c)"
      : "vec4<i32>(i32(c)) + vec4<i32>(0, 1, 2, 3)"
  const put = (to: { readonly store: (index: string, value: string) => string }, name: string, way: Fours, x: string) =>
    way === "none"
      ? range(4).map((j) => {
        const one = to.store(place(name, way, j), `${x}[${j}]`)
        return j === 0 ? one : `if (${column(j)} < n) { ${one} }`
      })
      : [to.store(place(name, way, 0), x)]
  return {
    store: (value, row, column) =>
      [
        `{ let r = ${row};`,
        `let c = ${column};`,
        `if (r < m && c < n) {`,
        `let four = ${value};`,
        ...needed.map((step) => writer.statement(step, { load, index })),
        ...also.flatMap((step, i) => {
          const v = inputs + i, { buffer, dtype } = views[v], way = layout.beside[v]
          const further = shader.write(buffer, elementOf(dtype, way))
          return [`let to${v} = ${writer.value(step, 4)};`, ...put(further, `e${v}`, way, `to${v}`)]
        }),
        `let to = ${writer.value(result, 4)};`,
        ...put(output, "o", layout.output, "to"),
        `} }`,
      ].join("\n"),
    declarations: writer.declarations,
  }
}
