import type { KernelEmitter } from "../wgsl/kernel.ts"
import { perPlace } from "../wgsl/places.ts"
import type { DecodeCall } from "./kernel.ts"

/** Writes a `decode` call: four elements an invocation. */
export const emitDecode: KernelEmitter<DecodeCall> = ({ input, output }, context) => {
  const fours = input.shape[0] / 4
  if (fours === 0) return []
  const shader = context.shader()
  const from = shader.read(input.buffer, "vec4<f32>"), to = shader.write(output.buffer, "vec4<f32>")
  const move = to.store("place", from.load("place"))
  return [perPlace(shader, context.device, `decode [${input.shape}]`, fours, [move])]
}
