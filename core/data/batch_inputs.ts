/**
 * A batch as inputs of a graph, and as the data of those inputs.
 * @module
 */
import type { RunData } from "../backend/backend.ts"
import type { BatchTensors } from "../contracts/objective.ts"
import { input } from "../tensor/ops.ts"
import type { Shape } from "../tensor/shape.ts"
import type { Batch } from "./batches.ts"

/** A batch of `rows` examples of `length` tokens as inputs `tokens`, `lengths`, `labels`, `exampleWeight`. */
export function batchInputs(task: string, rows: number, length: number, labels: "example" | "token"): BatchTensors {
  return {
    tokens: input("tokens", [rows, length], { dtype: "i32", batch: true }),
    lengths: input("lengths", [rows], { dtype: "i32", batch: true }),
    labels: input("labels", labels === "token" ? [rows, length] : [rows], { dtype: "i32", batch: true }),
    exampleWeight: input("exampleWeight", [rows], { batch: true }),
    task,
  }
}

/** A packed row of `length` tokens with `examples` examples as inputs of the same names, and those of its places. */
export function packedInputs(
  task: string,
  examples: number,
  length: number,
  longest: number,
  labels: "example" | "token",
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
    labels: whole("labels", labels === "token" ? [1, length] : [examples]),
    exampleWeight: input("exampleWeight", [labels === "token" ? 1 : examples]),
    task,
  }
}

/** Data of the inputs of {@link batchInputs} or {@link packedInputs}. */
export function batchData(batch: Batch): RunData {
  const { tokens, lengths, exampleWeight, targets, labels, packed } = batch
  const common = { tokens, lengths, exampleWeight, labels: (targets ?? labels)! }
  if (packed === undefined) return common
  const { positions, segments, first, last } = packed
  return { ...common, positions, segments, first, last }
}
