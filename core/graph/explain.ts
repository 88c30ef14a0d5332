/**
 * A program as text, for people: the EXPLAIN of a step.
 * @module
 */
import { kernelOf } from "../../kernels/builtin.ts"
import { accessesOf } from "./fuse/accesses.ts"
import type { Program } from "./program.ts"

/** One line for each call: kernel, buffers written and read, shapes and the fused expression. */
export const explain = (program: Program): string => {
  const spelled = (number: number): string => {
    const { source } = program.buffers[number]
    switch (source.kind) {
      case "temporary":
        return `t${number}`
      case "slot":
        return `slot${source.slot}`
      case "input":
        return `"${source.name}"`
      case "constant":
        return `c${number}`
    }
  }
  const lines = program.calls.map((call, number) => {
    const { reads, writes } = accessesOf(call, program.kernels)
    const kernel = kernelOf(call, program.kernels)
    const operation = `${writes.map(spelled).join(", ")} = ${call.kernel}(${reads.map(spelled).join(", ")})`
    return `${String(number).padStart(4)}  ${operation}  ${kernel.shapes(call)}${kernel.detail?.(call) ?? ""}`
  })
  const outputs = program.outputs.map(({ name, view }) => `${name} = ${spelled(view.buffer)}[${view.shape}]`)
  return [
    `program ${program.name}: ${program.calls.length} calls, ${program.buffers.length} buffers`,
    ...lines,
    `outputs: ${outputs.join(", ")}`,
  ].join("\n")
}
