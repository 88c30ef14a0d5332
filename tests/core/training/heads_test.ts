/**
 * Several tasks with heads of their own over one trunk.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type { Batch } from "../../../core/data/batches/batches.ts"
import { collate } from "../../../core/data/batches/batches.ts"
import { encode } from "../../../core/data/encode.ts"
import { initialize, type Model, readParameters, writeParameters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fromRows } from "../../../core/tasks/dataset.ts"
import { sgd } from "../../../core/training/optimizers/sgd.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { run } from "../../support/model_layer.ts"
import { config, texts, tokenizer } from "./support.ts"

/** What a text is about, and a score for its length. */
const tasks = { topic: Task.classification(["food", "sky"]), size: Task.regression() }
const lora = Lora.layer({ r: 2, initLoraWeights: false })
const data = {
  topic: texts(7),
  size: fromRows(texts(11).rows.slice(4).map(({ text }) => ({ text, score: text.length / 40 })), {
    text: "text",
    scores: ["score"],
  }),
}
type Name = keyof typeof tasks

/** The first rows of a task as a micro-batch. */
function batchOf(task: Name, count: number): Batch {
  const own = data[task]
  const { examples } = encode(own, tokenizer, { maxLength: 32, vocabSize: 300, task: tasks[task] as never })
  const rows = Int32Array.from({ length: count }, (_, i) => i)
  const length = Math.max(...examples.slice(0, count).map(({ tokens }) => tokens.length))
  return collate(examples, { task, rows, length }, tasks[task])
}

/** Changes of all trained parameters by one step of plain descent, by key. */
async function changes(
  model: Model,
  batches: ReadonlyArray<Batch>,
): Promise<ReadonlyMap<string, Float64Array>> {
  const read = async () => {
    const values = await Effect.runPromise(readParameters(model))
    return new Map(values.map(({ parameter: { key }, data }) => [key, Float64Array.from(data)]))
  }
  const before = await read()
  const session = await makeSession(model, { optimizer: sgd(), maxGradNorm: 0 })
  await session.post({ batches }, 1)
  await session.drain()
  const after = await read()
  await session.dispose()
  return new Map([...before].map(([key, own]) => [key, own.map((value, i) => after.get(key)![i] - value)]))
}

const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))

Deno.test("a step of two tasks moves the trunk by the mean of what each would, and each head by its half", () =>
  run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { tasks, seed: 1 })
      const start = yield* readParameters(model, model.parameters)
      const both = yield* Effect.promise(() => changes(model, [batchOf("topic", 4), batchOf("size", 7)]))
      assertEquals([...both.keys()].filter((key) => key.startsWith("heads")), [
        "heads.topic.score.weight",
        "heads.size.score.weight",
      ])
      const alone = new Map<Name, ReadonlyMap<string, Float64Array>>()
      for (const name of ["topic", "size"] as const) {
        // A model of the task alone, with the same values.
        const single = yield* initialize(config, { task: tasks[name], seed: 2 })
        const values = new Map(start.map(({ parameter: { key }, data }) => [key.replace(`heads.${name}.`, ""), data]))
        yield* writeParameters(
          single,
          single.parameters.map((parameter) => ({ parameter, data: values.get(parameter.key)! })),
        )
        const batch = { ...batchOf(name, name === "topic" ? 4 : 7), task: "default" }
        alone.set(name, yield* Effect.promise(() => changes(single, [batch])))
      }
      for (const [key, change] of both) {
        const [, task, own] = /^heads\.(\w+)\.(.*)$/.exec(key) ?? []
        const parts = task === undefined
          ? [...alone.values()].map((changes) => changes.get(key)!)
          : [alone.get(task as Name)!.get(own)!]
        const expected = change.map((_, i) => parts.reduce((sum, part) => sum + part[i] / 2, 0))
        assert(norm(expected) > 0, key)
        assert(norm(change.map((value, i) => value - expected[i])) < 1e-6 * norm(expected), key)
      }
    }),
    lora,
  ))
