import * as Effect from "effect/Effect"
import type { Graph } from "../../graph/build.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import { lastOf } from "../../model/sites/batch_layout.ts"
import * as ops from "../../tensor/ops.ts"
import { type GenerateError, toGenerateError } from "../generate.ts"
import { programsOf } from "../programs.ts"
import { batchesOf, lengthFor, wrongLists } from "./lists.ts"

/** Logits of the token that comes after each list of token ids, [vocabulary] each. Lists of similar length run together. */
export function nextLogits(
  model: Model,
  lists: ReadonlyArray<ArrayLike<number>>,
): Effect.Effect<ReadonlyArray<Float32Array>, GenerateError> {
  return Effect.tryPromise({
    try: async () => {
      const wrong = wrongLists(model, lists)
      if (wrong !== undefined) throw new ModelError({ reason: "Unsupported", message: wrong })
      const { vocabSize, maxPositions } = model.network
      const all: Array<Float32Array> = []
      for (const rows of batchesOf(lists, vocabSize)) {
        const length = Math.min(lengthFor(Math.max(...rows.map((row) => lists[row].length))), maxPositions)
        const tokens = new Int32Array(rows.length * length)
        rows.forEach((row, i) => tokens.set(Array.from(lists[row]), i * length))
        const lengths = Int32Array.from(rows, (row) => lists[row].length)
        const name = `next ${rows.length}x${length}`
        const program = await programsOf(model).get(name, () => graphOf(model, rows.length, length))
        const { logits } = await program.run({ tokens, lengths })
        rows.forEach((row, i) => all[row] = (logits as Float32Array).slice(i * vocabSize, (i + 1) * vocabSize))
      }
      return all
    },
    catch: toGenerateError,
  })
}

function graphOf(model: Model, rows: number, length: number): Graph {
  const batch = {
    tokens: ops.input("tokens", [rows, length], { dtype: "i32" }),
    lengths: ops.input("lengths", [rows], { dtype: "i32" }),
    fields: {},
    exampleWeight: ops.full(1, [rows]),
    task: "",
  }
  const logits = ops.reshape(lastOf(model.forward(batch, { training: false }).logits, batch), [rows, -1])
  return { name: `next ${rows}x${length}`, outputs: { logits }, updates: [] }
}
