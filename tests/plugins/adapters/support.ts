import type { BatchTensors } from "../../../core/contracts/objective.ts"
import * as ops from "../../../core/tensor/ops.ts"

/** Two rows of seven tokens. */
export const batch: BatchTensors = batchOf(7)

/** Two rows of `length` tokens. */
export function batchOf(length: number): BatchTensors {
  return {
    tokens: ops.input("tokens", [2, length], { dtype: "i32", batch: true }),
    lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
    fields: { labels: ops.input("labels", [2], { dtype: "i32", batch: true }) },
    exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
    task: "default",
  }
}

/** Logits of rows that are not padding, of 32 words; those of classes as they are. */
export function real(logits: ArrayLike<number>, lengths: ReadonlyArray<number>): ArrayLike<number> {
  if (logits.length < 100) return logits
  return Array.from(logits).filter((_, i) => Math.floor(i / 32) % 7 < lengths[Math.floor(i / 224)])
}
