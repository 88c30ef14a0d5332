/**
 * WGSL of `scatter_add`, without atomics, so that each element's sum keeps its order.
 *
 * With few indices, one invocation for each element of the output looks at them all. With more, the output is cleared
 * and one invocation for each batch and column follows the indices.
 * @module
 */
import type { ScatterAddCall } from "./kernel.ts"
import { type KernelContext, type KernelEmitter, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { GROUP, PARAMETERS, sum, times } from "../wgsl/places.ts"

/** Most indices that every element looks at. */
const FEW = 8
/** How many updates are read before the first of them is added. */
const AHEAD = 8

/** Writes a `scatter_add` call. */
export const emitScatterAdd: KernelEmitter<ScatterAddCall> = ({ indices, updates, output }, context) => {
  const [batch, rows, width] = output.shape
  const count = indices.shape[1]
  if (batch * rows * width === 0) return []
  const label = `scatter_add [${updates.shape}] into [${output.shape}]`
  const begin = (places: number, context: KernelContext) => {
    const { workgroups, number } = lineOfWorkgroups(Math.ceil(places / GROUP), context.device)
    const head = `@compute @workgroup_size(${GROUP})
fn main(${PARAMETERS}) {
  let place = ${number} * ${GROUP}u + thread;
  if (place >= ${places}u) { return; }
`
    return { head, workgroups }
  }
  const clear = () => {
    const shader = context.shader(), target = shader.write(output.buffer, "f32")
    const { head, workgroups } = begin(batch * rows * width, context)
    const code = `${head}  ${target.store(sum("place", output.offset), "0f")}\n}\n`
    return shader.finish({ label: `${label}: clear`, code, workgroups })
  }
  if (count === 0) return [clear()]

  const shader = context.shader()
  const index = shader.read(indices.buffer, "i32")
  const from = shader.read(updates.buffer, "f32")
  const update = (i: string) =>
    from.load(
      sum(
        times("b", updates.strides[0]),
        times(i, updates.strides[1]),
        times("column", updates.strides[2]),
        updates.offset,
      ),
    )
  const wanted = (i: string) =>
    `bitcast<u32>(${index.load(sum(times("b", indices.strides[0]), times(i, indices.strides[1]), indices.offset))})`
  const target = shader.write(output.buffer, "f32")
  if (count <= FEW) {
    const { head, workgroups } = begin(batch * rows * width, context)
    const code = `${head}  let column = place % ${width}u;
  let row = place / ${width}u % ${rows}u;
  let b = place / ${rows * width}u;
  var total = 0f;
  for (var i = 0u; i < ${count}u; i++) {
    if (${wanted("i")} == row) { total += ${update("i")}; }
  }
  ${target.store(sum("place", output.offset), "total")}
}
`
    return [shader.finish({ label, code, workgroups })]
  }
  const { head, workgroups } = begin(batch * width, context)
  const element = (row: string) => sum(`(b * ${rows}u + ${row}) * ${width}u`, "column", output.offset)
  // What is read comes first, so that the updates need not wait for each other's stores.
  const ahead = Array.from({ length: AHEAD }, (_, i) => i)
  const code = `${head}  let column = place % ${width}u;
  let b = place / ${width}u;
  for (var i = 0u; i < ${count}u; i += ${AHEAD}u) {
${
    ahead.map((j) =>
      `    let i${j} = min(i + ${j}u, ${count - 1}u);
    let row${j} = select(${wanted(`i${j}`)}, ${rows}u, i + ${j}u >= ${count}u);
    let update${j} = ${update(`i${j}`)};
`
    ).join("")
  }${
    ahead.map((j) =>
      `    if (row${j} < ${rows}u) {
      let at = ${element(`row${j}`)};
      ${target.store("at", `${target.load("at")} + update${j}`)}
    }
`
    ).join("")
  }  }
}
`
  return [clear(), shader.finish({ label, code, workgroups })]
}
