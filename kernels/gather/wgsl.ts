/**
 * WGSL of `gather`: one element, or four neighbours, an invocation. An index outside the table gives a row of zeros.
 * @module
 */
import type { GatherCall } from "./kernel.ts"
import type { Element, KernelEmitter } from "../wgsl/kernel.ts"
import { perPlace, sum, times, vectorViews, walk } from "../wgsl/places.ts"

/** Writes a `gather` call. */
export const emitGather: KernelEmitter<GatherCall> = ({ table, indices, output }, context) => {
  const [count, width] = output.shape
  const [rows] = table.shape
  if (count === 0 || width === 0) return []
  const shader = context.shader()
  const views = [table, output].map((view) => ({ ...view, dtype: "f32" as const }))
  const vector = vectorViews(width, views)
  const lanes = vector[0] && vector[1] ? 4 : 1
  const index = shader.read(indices.buffer, "i32")
  // Single elements keep the type of the table, be it i32; nothing is computed with them.
  const own = (element: Element) => element === "vec4<f32>" ? element : undefined
  const from = walk(views[0], "source", ["row"], lanes, vector[0], (e) => shader.read(table.buffer, own(e)))
  const to = walk(views[1], "target_row", ["i"], lanes, vector[1], (e) => shader.write(output.buffer, own(e)))
  const units = width / lanes
  const label = `gather [${output.shape}] of [${table.shape}]`
  const body = [
    `let column = place % ${units}u;`,
    `let i = place / ${units}u;`,
    `let row = bitcast<u32>(${index.load(sum(times("i", indices.strides[0]), indices.offset))});`,
    to.enter,
    `if (row < ${rows}u) {`,
    `  ${from.enter}`,
    `  ${to.store("column", from.load("column"))}`,
    "} else {",
    `  ${to.store("column", lanes === 4 ? "vec4<f32>()" : "0")}`,
    "}",
  ]
  return [perPlace(shader, context.device, label, count * units, body)]
}
