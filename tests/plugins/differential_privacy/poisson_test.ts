import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert"
import type { BatchSource, Json, Step } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { poissonSource } from "../../../plugins/differential_privacy/poisson.ts"

const tasks = {
  a: Int32Array.from({ length: 50 }, (_, i) => 3 + i % 40),
  b: Int32Array.from({ length: 30 }, (_, i) => 5 + i % 7),
}
const inner: BatchSource = { tasks, steps: () => 1, next: () => Effect.die("it is not asked") }
const rate = 0.1, batchSize = 4
const make = (more: Partial<Parameters<typeof poissonSource>[1]> = {}) =>
  poissonSource(inner, {
    sampleRate: rate,
    epochSteps: 10,
    allowedSteps: Infinity,
    batchSize,
    spent: (steps) => steps / 100,
    ...more,
  })
const draw = (source: BatchSource, step: number): Step | undefined =>
  Effect.runSync(source.next({ epoch: Math.floor(step / 10), step: step % 10 }, []))
const rowsOf = (step: Step, task: string) =>
  step.microBatches.flatMap((own) => own.task === task ? [...own.rows].filter((row) => row >= 0) : [])

Deno.test("each row is in a step with the same probability, whatever else is in it", () => {
  const source = make()
  const steps = Array.from({ length: 2000 }, (_, step) => draw(source, step)!)
  const all = steps.flatMap((step) => Object.keys(tasks).map((task) => rowsOf(step, task)))
  // Within five standard deviations of the binomial distributions.
  const near = (count: number, n: number, p: number, what: string) =>
    assert(Math.abs(count - n * p) < 5 * Math.sqrt(n * p * (1 - p)), `${what}: ${count} of ${n}`)
  near(all.flat().length, 2000 * 80, rate, "rows")
  const sizes = steps.map((step) => rowsOf(step, "a").length + rowsOf(step, "b").length)
  const mean = 80 * rate
  const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / sizes.length
  // Of a binomial variance, which a fixed size of steps does not have.
  assert(Math.abs(variance - 80 * rate * (1 - rate)) < 1.2, `the variance of a step's size is ${variance}`)
  for (let row = 0; row < 50; row++) {
    near(steps.filter((s) => rowsOf(s, "a").includes(row)).length, 2000, rate, `row ${row}`)
  }
  const together = steps.filter((step) => rowsOf(step, "a").includes(3) && rowsOf(step, "b").includes(3)).length
  near(together, 2000, rate ** 2, "two rows")
  const after = steps.filter((step, i) =>
    i > 0 && rowsOf(step, "a").includes(7) && rowsOf(steps[i - 1], "a").includes(7)
  )
  near(after.length, 1999, rate ** 2, "a row twice in a row")
})

Deno.test("micro-batches have one size and the lengths of their rows; a step may be empty", () => {
  const source = make()
  for (let step = 0; step < 50; step++) {
    for (const { rows, length, task } of draw(source, step)!.microBatches) {
      const lengths = tasks[task as keyof typeof tasks]
      const own = [...rows].filter((row) => row >= 0)
      assertEquals(rows.length, batchSize)
      assert(own.length > 0 && own.every((row) => lengths[row] <= length))
    }
  }
  const rare = make({ sampleRate: 1e-6 })
  assertEquals(draw(rare, 0), { microBatches: [] })
  assertEquals(rowsOf(draw(make({ sampleRate: 1 }), 0)!, "a").length, 50)
  const [one, end] = [make({ allowedSteps: 2 }), 2]
  assertEquals([draw(one, 0), draw(one, 1), draw(one, end)].map((step) => step === undefined), [false, false, true])
})

Deno.test("two sources differ; one that is restored goes on with the same rows", () => {
  const [source, other] = [make(), make()]
  const first = draw(source, 0)
  assertNotEquals(first, draw(other, 0))
  const saved = JSON.parse(JSON.stringify(source.state!.save())) as { [name: string]: Json }
  other.state!.restore(saved)
  assertEquals(saved.epsilon, 0.01)
  assertEquals(draw(other, 0), first)
  assertEquals(draw(other, 1), draw(source, 1))
  assertThrows(() => other.state!.restore({ ...saved, key: [1] }), Error, "no key")
})
