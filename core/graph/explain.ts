/**
 * A program as text, for people: the EXPLAIN of a step.
 * @module
 */
import type { Call, Instruction } from "../../kernels/contract.ts"
import { accessesOf } from "./accesses.ts"
import type { Program } from "./program.ts"
import { shapesOf } from "./work.ts"

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

/** What a call does beyond its kernel's name. */
const detailOf = (call: Call): string => {
  if (call.kernel === "rows") return `  ${spell(call.body)} -> ${call.outputs.map(({ step }) => `%${step}`).join(", ")}`
  if (call.kernel === "matmul" && call.epilogue) {
    const { body, result, also } = call.epilogue
    return `  ${spell(body)} -> ${[result, ...also.map(({ step }) => step)].map((step) => `%${step}`).join(", ")}`
  }
  if (call.kernel === "columns") return `  ${spell(call.body)} -> ${call.kind}(%${call.result})`
  return call.kernel === "update_slice" ? ` along ${call.axis}` : ""
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
    return `${String(number).padStart(4)}  ${operation}  ${shapesOf(call)}${detailOf(call)}`
  })
  const outputs = program.outputs.map(({ name, view }) => `${name} = ${spelled(view.buffer)}[${view.shape}]`)
  return [
    `program ${program.name}: ${program.calls.length} calls, ${program.buffers.length} buffers`,
    ...lines,
    `outputs: ${outputs.join(", ")}`,
  ].join("\n")
}
