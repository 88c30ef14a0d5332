import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { initialize, type Model } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluateAll } from "../../support/evaluate.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { distance, run } from "../../support/model_layer.ts"
import { tiny } from "./tiny.ts"

const ROWS = [[3, 8, 1, 5, 9, 2, 7], [4, 7], [2, 6, 11, 1]]
const MASKED = -100

/** What each row gives to the gradient of every parameter, rows padded to a length. */
function sharesOf(model: Model, { slots }: MemoryBackend, rows: ReadonlyArray<ReadonlyArray<number>>, length: number) {
  const padded = (row: ReadonlyArray<number>, fill: number) => [...row, ...Array(length - row.length).fill(fill)]
  const shape = [rows.length, length]
  const input = (name: string, shape: ReadonlyArray<number>) => ops.input(name, shape, { dtype: "i32", batch: true })
  const batch = {
    tokens: input("tokens", shape),
    lengths: input("lengths", [rows.length]),
    fields: { labels: input("labels", shape) },
    exampleWeight: ops.input("exampleWeight", [rows.length], { batch: true }),
    task: "default",
  }
  const inputs = {
    tokens: rows.flatMap((row) => padded(row, 16)),
    lengths: rows.map((row) => row.length),
    labels: rows.flatMap((row) => padded([...row.slice(1), MASKED], MASKED)),
    exampleWeight: rows.map(() => 1),
  }
  const none = () => {
    throw new Error("there is none")
  }
  const outputs = model.forward(batch, { training: true })
  const { loss } = model.task.objective({ batch, outputs, base: none, parameter: none, trained: [] })
  const tensors = model.parameters.map(({ tensor }) => tensor)
  return evaluateAll([loss, ...gradients(ops.batchSum(loss), tensors, { perExample: true })], { inputs, slots })
}

Deno.test("lfm2: loss and gradients of a row are those that it has alone, whatever lies beside and after it", async () => {
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(tiny, { task: Task.causalLM(), seed: 3 })
      const together = sharesOf(model, backend, ROWS, 9)
      for (const [i, row] of ROWS.entries()) {
        const alone = sharesOf(model, backend, [row], row.length)
        for (const [j, values] of alone.entries()) {
          const own = Array.from(together[j]).slice(i * values.length, (i + 1) * values.length)
          const name = j === 0 ? "the loss" : model.parameters[j - 1].key
          assert(distance(own, values) < 1e-10, `row ${i}, ${name}: off by ${distance(own, values)}`)
          if (name.includes(".conv.") && row.length > 2) assert(Math.hypot(...own) > 1e-6, `${name} has no gradient`)
        }
      }
    }),
    undefined,
    backend,
  )
})
