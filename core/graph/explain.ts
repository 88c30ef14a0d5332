/**
 * A program as text, for people: the EXPLAIN of a step.
 * @module
 */
import type { Call, Instruction } from "../../kernels/contract.ts"
import { accessesOf } from "./accesses.ts"
import type { Program } from "./program.ts"

const spell = (body: ReadonlyArray<Instruction>): string =>
  body.map((step, number) => {
    switch (step.op) {
      case "load":
        return undefined
      case "constant":
        return `%${number}=${step.value}`
      case "index":
        return `%${number}=index(${step.axis})`
      case "reduce":
        return `%${number}=${step.kind}(${operands(body, step.args)})`
      default:
        return `%${number}=${step.op}(${operands(body, step.args)})`
    }
  }).filter((text) => text !== undefined).join(" ")

const operands = (body: ReadonlyArray<Instruction>, args: ReadonlyArray<number>): string =>
  args.map((number) => {
    const step = body[number]
    return step.op === "load" ? `in${step.operand}` : `%${number}`
  }).join(", ")

const shapesOf = (call: Call): string => {
  switch (call.kernel) {
    case "rows":
      return `[${call.space}]  ${spell(call.body)} -> ${call.outputs.map(({ step }) => `%${step}`).join(", ")}`
    case "columns":
      return `[${call.space}] -> [${call.output.shape}]  ${spell(call.body)} -> ${call.kind}(%${call.result})`
    case "matmul":
      return `[${call.a.shape}] x [${call.b.shape}]`
    case "gather":
      return `[${call.table.shape}] at [${call.indices.shape}]`
    case "scatter_add":
      return `[${call.updates.shape}] into [${call.output.shape}]`
    case "update_slice":
      return `[${call.source.shape}] into [${call.destination.shape}] along ${call.axis}`
  }
}

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
    const { reads, writes } = accessesOf(call)
    const operation = `${writes.map(spelled).join(", ")} = ${call.kernel}(${reads.map(spelled).join(", ")})`
    return `${String(number).padStart(4)}  ${operation}  ${shapesOf(call)}`
  })
  const outputs = program.outputs.map(({ name, view }) => `${name} = ${spelled(view.buffer)}[${view.shape}]`)
  return [
    `program ${program.name}: ${program.calls.length} calls, ${program.buffers.length} buffers`,
    ...lines,
    `outputs: ${outputs.join(", ")}`,
  ].join("\n")
}
