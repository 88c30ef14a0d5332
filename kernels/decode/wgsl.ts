import { type KernelEmitter, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { GROUP, PARAMETERS } from "../wgsl/places.ts"
import type { DecodeCall } from "./kernel.ts"

/** Writes a `decode` call: four elements an invocation. */
export const emitDecode: KernelEmitter<DecodeCall> = ({ input, output }, context) => {
  const fours = input.shape[0] / 4
  if (fours === 0) return []
  const shader = context.shader()
  const from = shader.read(input.buffer, "vec4<f32>"), to = shader.write(output.buffer, "vec4<f32>")
  const { workgroups, number } = lineOfWorkgroups(Math.ceil(fours / GROUP), context.device)
  const code = `@compute @workgroup_size(${GROUP})
fn main(${PARAMETERS}) {
  let place = ${number} * ${GROUP}u + thread;
  if (place < ${fours}u) { ${to.store("place", from.load("place"))} }
}
`
  return [shader.finish({ label: `decode [${input.shape}]`, code, workgroups })]
}
