/**
 * WGSL of `scatter_add`, without atomics, so that each element's sum keeps its order.
 *
 * With few indices, each element of the output has an invocation that compares all indices. With more, the output is
 * cleared, and each batch and column has an invocation that follows the indices.
 * @module
 */
import type { ScatterAddCall } from "./kernel.ts"
import type { KernelEmitter } from "../wgsl/kernel.ts"
import { address, perPlace, sum } from "../wgsl/places.ts"

/** Maximum number of indices that each element compares. */
const FEW = 8
/** How many updates are read before the first of them is added. */
const AHEAD = 8

/** Writes a `scatter_add` call. */
export const emitScatterAdd: KernelEmitter<ScatterAddCall> = ({ indices, updates, output }, context) => {
  const [batch, rows, width] = output.shape
  const count = indices.shape[1]
  if (batch * rows * width === 0) return []
  const label = `scatter_add [${updates.shape}] into [${output.shape}]`
  const clear = () => {
    const shader = context.shader(), target = shader.write(output.buffer, "f32")
    const body = [target.store(sum("place", output.offset), "0f")]
    return perPlace(shader, context.device, `${label}: clear`, batch * rows * width, body)
  }
  if (count === 0) return [clear()]

  const shader = context.shader()
  const index = shader.read(indices.buffer, "i32"), from = shader.read(updates.buffer, "f32")
  const target = shader.write(output.buffer, "f32")
  const update = (i: string) => from.load(address(updates.offset, ["b", i, "column"], updates.strides))
  const wanted = (i: string) => `bitcast<u32>(${index.load(address(indices.offset, ["b", i], indices.strides))})`
  if (count <= FEW) {
    const body = [
      `let column = place % ${width}u;`,
      `let row = place / ${width}u % ${rows}u;`,
      `let b = place / ${rows * width}u;`,
      "var total = 0f;",
      `for (var i = 0u; i < ${count}u; i++) {`,
      `  if (${wanted("i")} == row) { total += ${update("i")}; }`,
      "}",
      target.store(sum("place", output.offset), "total"),
    ]
    return [perPlace(shader, context.device, label, batch * rows * width, body)]
  }
  const element = (row: string) => sum(`(b * ${rows}u + ${row}) * ${width}u`, "column", output.offset)
  // What is read comes first, so that the updates need not wait for each other's stores.
  const ahead = Array.from({ length: AHEAD }, (_, i) => i)
  const body = [
    `let column = place % ${width}u;`,
    `let b = place / ${width}u;`,
    `for (var i = 0u; i < ${count}u; i += ${AHEAD}u) {`,
    ...ahead.flatMap((j) => [
      `  let i${j} = min(i + ${j}u, ${count - 1}u);`,
      `  let row${j} = select(${wanted(`i${j}`)}, ${rows}u, i + ${j}u >= ${count}u);`,
      `  let update${j} = ${update(`i${j}`)};`,
    ]),
    ...ahead.flatMap((j) => [
      `  if (row${j} < ${rows}u) {`,
      `    let at = ${element(`row${j}`)};`,
      `    ${target.store("at", `${target.load("at")} + update${j}`)}`,
      "  }",
    ]),
    "}",
  ]
  return [clear(), perPlace(shader, context.device, label, batch * width, body)]
}
