/**
 * A batch as inputs of a graph, and the data of these inputs.
 * @module
 */
import type { RunData } from "../../backend/backend.ts"
import type { BatchTensors } from "../../contracts/objective.ts"
import { input } from "../../tensor/ops.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { FieldExtent } from "../data.ts"
import type { Batch, BatchSpec } from "./batches.ts"

/** Batch fields as inputs of their names. */
function fieldInputs(
  { fields }: BatchSpec,
  shapes: Readonly<Record<FieldExtent, Shape>>,
  batch: boolean,
): BatchTensors["fields"] {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { per, dtype, size }]) => {
      const shape = [...shapes[per], ...size === undefined ? [] : [size]]
      return [name, input(name, shape, { dtype, batch })]
    }),
  )
}

/** The shape of padded rows as part of a program's name. */
export function shapeName({ shape: [rows, length], targetLength }: Pick<Batch, "shape" | "targetLength">): string {
  return `${rows}x${length}${targetLength === undefined ? "" : ` to ${targetLength}`}`
}

/**
 * A batch of `rows` examples of `length` tokens as inputs `tokens`, `lengths`, `exampleWeight` and the task's fields.
 *
 * @param targetLength Of the targets, where there are fields of their tokens. Default 0.
 */
export function batchInputs(
  task: string,
  rows: number,
  length: number,
  spec: BatchSpec,
  targetLength: number = 0,
): BatchTensors {
  const shapes = { example: [rows], token: [rows, length], target: [rows, targetLength] }
  return {
    tokens: input("tokens", [rows, length], { dtype: "i32", batch: true }),
    lengths: input("lengths", [rows], { dtype: "i32", batch: true }),
    fields: fieldInputs(spec, shapes, true),
    exampleWeight: input("exampleWeight", [rows], { batch: true }),
    task,
  }
}

/** A packed row of `length` tokens with `examples` examples as inputs of the same names, with positions and segments. */
export function packedInputs(
  task: string,
  examples: number,
  length: number,
  longest: number,
  spec: BatchSpec,
): BatchTensors {
  const whole = (name: string, shape: Shape) => input(name, shape, { dtype: "i32" })
  return {
    tokens: whole("tokens", [1, length]),
    lengths: whole("lengths", [examples]),
    packed: {
      positions: whole("positions", [1, length]),
      segments: whole("segments", [1, length]),
      first: whole("first", [examples]),
      last: whole("last", [examples]),
      longest,
    },
    fields: fieldInputs(spec, { example: [examples], token: [1, length], target: [examples, 0] }, false),
    exampleWeight: input("exampleWeight", [spec.head.kind === "sequence" ? examples : 1]),
    task,
  }
}

/** Data of the inputs of {@link batchInputs} or {@link packedInputs}. */
export function batchData(batch: Batch): RunData {
  const { tokens, lengths, exampleWeight, fields, packed } = batch
  const common = { tokens, lengths, exampleWeight, ...fields }
  if (packed === undefined) return common
  const { positions, segments, first, last } = packed
  return { ...common, positions, segments, first, last }
}
