/**
 * Shares of tasks against their formulas, and the order of rows.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import type { BatchSource, Step } from "../../../core/contracts/batch_source.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { makeBatchSource } from "../../../core/data/batches/batch_source.ts"
import type { Example } from "../../../core/data/encode.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { mixedBatches } from "../../../plugins/multitask/mixed_batches.ts"
import { mixedOrder, partsByTask } from "../../../plugins/multitask/mixing.ts"
import { type MultitaskOptions, resolveOptions } from "../../../plugins/multitask/options.ts"
import { followProgress } from "../../../plugins/multitask/progress.ts"

const sizes = { a: { rows: 900, parts: 57 }, b: { rows: 100, parts: 7 }, c: { rows: 4, parts: 1 } }

Deno.test("shares of tasks follow their formulas; every task has a part", () => {
  const shares = (mixing: "proportional" | "temperature" | "equal", temperature = 2) =>
    Object.values(partsByTask(sizes, 6000, { mixing, temperature })).map((count) => count / 6000)
  const near = (found: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
    const sum = expected.reduce((a, b) => a + b)
    found.forEach((share, i) => assert(Math.abs(share - expected[i] / sum) < 1 / 6000, `${found} for ${expected}`))
  }
  near(shares("proportional"), [57, 7, 1])
  near(shares("temperature"), [30, 10, 2])
  near(shares("temperature", 1), [900, 100, 4])
  near(shares("temperature", 1e9), [1, 1, 1])
  near(shares("equal"), [1, 1, 1])
  // With as many parts as an epoch has by itself, every row comes once.
  assertEquals(partsByTask(sizes, 65, { mixing: "proportional", temperature: 2 }), { a: 57, b: 7, c: 1 })
  assertEquals(partsByTask(sizes, 65, { mixing: "temperature", temperature: 0.2 }), { a: 63, b: 1, c: 1 })
})

Deno.test("an order holds each task in its share, evenly spread, another one for each seed", () => {
  const order = mixedOrder({ a: 40, b: 10, c: 10 }, makeRng(3))
  assertEquals(order.filter((task) => task === "a").length, 40)
  for (let at = 0; at + 12 <= order.length; at += 6) {
    const count = order.slice(at, at + 12).filter((task) => task === "a").length
    assert(count >= 6 && count <= 10, `${count} of 12 at ${at}`)
  }
  assertEquals(order, mixedOrder({ a: 40, b: 10, c: 10 }, makeRng(3)))
  assert(String(order) !== String(mixedOrder({ a: 40, b: 10, c: 10 }, makeRng(4))))
  const rounds = mixedOrder({ a: 9, b: 9, c: 9 }, makeRng(1))
  for (let at = 0; at < 27; at += 3) assertEquals(new Set(rounds.slice(at, at + 3)).size, 3)
})

const resolved = (options: MultitaskOptions) => {
  const { mixing, ...more } = resolveOptions(options)
  assert(mixing !== "none")
  return { ...more, mixing }
}
const examples = (count: number): { readonly examples: ReadonlyArray<Example> } => ({
  examples: Array.from({ length: count }, (_, index) => (
    { tokens: new Int32Array(3 + index % 5), fields: {}, index, row: index }
  )),
})
const data = { a: examples(37), b: examples(10), c: examples(4) }
const inner = (seed = 1) => makeBatchSource(data, { batchSize: 2, accumulation: 2, maxLength: 16, seed })
const mixed = (options: MultitaskOptions, seed = 1, progress = followProgress()) =>
  mixedBatches(
    inner(seed),
    { examples: {}, totalSteps: () => 0, rng: (stream) => makeRng(seed, 9, stream) },
    resolved(options),
    progress,
  )
function draw(source: BatchSource, from: number, to: number): ReadonlyArray<Step> {
  const length = source.steps(0)
  return Array.from({ length: to - from }, (_, i) => {
    const position = { epoch: Math.floor((from + i) / length), step: (from + i) % length }
    return Effect.runSync(source.next(position, []))!
  })
}

Deno.test("each task goes through all its rows before one comes again; the order is of the seed", () => {
  for (
    const options of [
      {},
      { mixing: "equal" },
      { mixing: "temperature", temperature: 3, partsPerStep: 2 },
      { mixing: "equal", gradientSurgery: "pcgrad" },
    ] as const
  ) {
    const source = mixed(options)
    const steps = draw(source, 0, 40)
    for (const task of ["a", "b", "c"] as const) {
      const rows = steps.flatMap(({ microBatches }) =>
        microBatches.filter((one) => one.task === task).flatMap((one) => [...one.rows].filter((row) => row >= 0))
      )
      const count = data[task].examples.length
      for (let at = 0; at + count <= rows.length; at += count) {
        assertEquals(new Set(rows.slice(at, at + count)).size, count, `${task} at ${at}`)
      }
    }
    assertEquals(steps, draw(mixed(options), 0, 40))
    assert(JSON.stringify(steps) !== JSON.stringify(draw(mixed(options, 2), 0, 40)))

    // A source that goes on from a state draws the same.
    const first = mixed(options)
    draw(first, 0, 17)
    const second = mixed(options)
    second.state!.restore(JSON.parse(JSON.stringify(first.state!.save())))
    assertEquals(draw(second, 17, 40), steps.slice(17))
  }
})

Deno.test("in proportion, an epoch has every row once; with surgery a step has rows of every task", () => {
  const source = mixed({})
  assertEquals(source.steps(0), 10 + 3 + 1)
  const rows = draw(source, 0, 14).flatMap(({ microBatches }) =>
    microBatches.flatMap(({ task, rows }) => [...rows].filter((row) => row >= 0).map((row) => `${task} ${row}`))
  )
  assertEquals([rows.length, new Set(rows).size], [51, 51])
  const surgery = mixed({ mixing: "equal", gradientSurgery: "pcgrad" })
  assertEquals(surgery.steps(0), 5)
  for (const { microBatches } of draw(surgery, 0, 4)) {
    assertEquals([...new Set(microBatches.map(({ task }) => task))].sort(), ["a", "b", "c"])
  }
})

Deno.test("a task that no longer improves gets no more rows, and the run ends with the last one", () => {
  const progress = followProgress(2)
  const source = mixed({ mixing: "equal" }, 1, progress)
  const evaluate = (step: number, a: number, b: number, c: number) =>
    progress.observe({
      type: "evaluation",
      split: "validation",
      step,
      metrics: { loss: 1, "a.loss": a, "b.loss": b, "c.loss": c, "a.accuracy": 0 },
    })
  const tasksIn = (steps: ReadonlyArray<Step>) =>
    [...new Set(steps.flatMap(({ microBatches }) => microBatches.map(({ task }) => task)))].sort()
  evaluate(5, 3, 3, 3)
  evaluate(10, 2, 3, 2)
  assertEquals(tasksIn(draw(source, 0, 10)), ["a", "b", "c"])
  evaluate(15, 2, 4, 1)
  assertEquals(tasksIn(draw(source, 10, 20)), ["a", "c"])
  // What it held lasts.
  const resumed = followProgress(2)
  const other = mixed({ mixing: "equal" }, 1, resumed)
  other.state!.restore(source.state!.save())
  assertEquals(draw(other, 20, 30), draw(source, 20, 30))
  evaluate(20, 2, 1, 1)
  evaluate(25, 2, 1, 1)
  assertEquals(draw(source, 30, 31), [undefined as unknown as Step])
})

Deno.test("what cannot be mixed says so", () => {
  const wrong = (next: BatchSource, message: string) =>
    assertThrows(
      () => mixedBatches(next, { examples: {}, totalSteps: () => 0, rng: makeRng }, resolved({}), followProgress()),
      PluginError,
      message,
    )
  const one = makeBatchSource({ a: data.a }, { batchSize: 2, maxLength: 16 })
  wrong(one, 'it mixes tasks, and the training split has one, "a": give the rows of each task under its name')
  wrong({ ...one, tasks: {} }, "the training split has none")
  wrong({ ...inner(), tasks: { ...inner().tasks, c: new Int32Array() } }, 'there are no rows of ["c"]: give some')
  wrong({ ...inner(), state: { save: () => 0, restore: () => {} } }, 'give mixing: "none", or leave that plugin out')
  const source = mixed({})
  assertThrows(() => source.state!.restore({ cursors: { a: [0, 0] } }), PluginError, "no state of a mixture")
  const options = (given: unknown, message: string) =>
    assertThrows(() => resolveOptions(given as MultitaskOptions), PluginError, message)
  options({ mixing: "temperature", temperature: 0 }, "temperature must be a number above 0, got 0")
  options({ temperature: 2 }, 'mixing must be "temperature" where temperature is given, got "proportional"')
  options({ lossWeights: { a: -1 } }, 'lossWeights["a"] must be a number above 0, got -1')
  options({ lossWeights: "learned" }, 'lossWeights must be numbers above 0 by task, or "uncertainty", got "learned"')
  options({ gradientSurgery: "pcgrad", partsPerStep: 1 }, "partsPerStep must be from 2 with gradientSurgery, got 1")
  options({ mixing: "none", patience: 1 }, 'mixing must be on where steps are made of parts, got "none"')
  options({ mixin: "equal" }, 'unknown option "mixin"; the nearest known one is "mixing"')
})
