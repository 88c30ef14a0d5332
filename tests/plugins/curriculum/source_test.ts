import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert"
import type { FinishedStep, Json } from "@espalier/espalier"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { difficultiesOf } from "../../../plugins/curriculum/difficulty.ts"
import { ranksOf } from "../../../plugins/curriculum/gate.ts"
import { rowsByLength, rowsOf, sourceOf, stepAt } from "./support.ts"

Deno.test("rarity is the mean of -log p over the tokens of a row", () => {
  const rows = [[0, 0, 1], [0, 2], [0], [1, 1]].map((tokens) => ({ tokens: Int32Array.from(tokens) }))
  // Of 8 tokens 4 are 0, 3 are 1, 1 is 2.
  const [a, b, c] = [4, 3, 1].map((count) => -Math.log(count / 8))
  const expected = [(2 * a + b) / 3, (a + c) / 2, a, b]
  difficultiesOf("rarity", rows, "default").forEach((value, row) => assertAlmostEquals(value, expected[row], 1e-12))
  assertEquals(difficultiesOf("length", rows, "default"), [3, 2, 1, 2])
})

Deno.test("ranks follow the difficulty, both ways; equal rows are ordered by the seed", () => {
  const ranks = (order: "easy" | "hard", values: ReadonlyArray<number>, seed = 1) =>
    Array.from(ranksOf(values, order, makeRng(seed)))
  assertEquals(ranks("easy", [0.3, -1, 7]), [1, 0, 2])
  assertEquals(ranks("hard", [0.3, -1, 7]), [1, 2, 0])
  const same = Array.from({ length: 20 }, () => 1)
  assertEquals(ranks("easy", same), ranks("easy", same))
  assertNotEquals(ranks("easy", same), ranks("easy", same, 2))
  assertEquals(ranks("easy", same).toSorted((a, b) => a - b), [...same.keys()])
})

Deno.test("where all rows are allowed, an epoch has each row once", () => {
  const source = sourceOf({ default: rowsByLength(30) }, { start: 1 }, { accumulation: 2 })
  assertEquals(source.steps(0), 4)
  const orders = [0, 1].map((epoch) =>
    Array.from({ length: 4 }, (_, i) => rowsOf(stepAt(source, 4 * epoch + i))).flat()
  )
  for (const order of orders) assertEquals(order.toSorted((a, b) => a - b), [...Array(30).keys()])
  assertNotEquals(orders[0], orders[1])
})

Deno.test("a growing pool gives a row again only when none that is allowed is left", () => {
  const source = sourceOf({ default: rowsByLength(40) }, { pacing: "linear", start: 0.25, duration: 20 })
  const drawn = new Set<number>()
  for (let step = 0; step < 40; step++) {
    const size = Math.min(40, Math.floor((0.25 + 0.75 * step / 20) * 40 + 1e-9))
    for (const row of rowsOf(stepAt(source, step))) {
      assert(row < size, `step ${step} has row ${row} of ${size}`)
      const left = Array.from({ length: size }, (_, row) => row).filter((row) => !drawn.has(row))
      if (left.length === 0) drawn.clear()
      assert(!drawn.has(row), `step ${step} has row ${row} twice`)
      drawn.add(row)
    }
  }
})

Deno.test("rows of a pool have equal chances", () => {
  const counts = new Float64Array(20)
  const runs = 2000
  for (let seed = 0; seed < runs; seed++) {
    const source = sourceOf({ default: rowsByLength(40) }, { start: 0.5 }, { batchSize: 5, seed })
    for (const row of rowsOf(stepAt(source, 0))) counts[row]++
  }
  const expected = runs * 5 / 20
  // 19 degrees of freedom: 43.8 has a chance of 0.001.
  const chi2 = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  assert(chi2 < 43.8, `chi2 is ${chi2}`)
})

Deno.test("steps keep the tasks, the sizes and the empty rows of the source; lengths fit; ranks are within a task", () => {
  const tasks = { short: rowsByLength(10), long: rowsByLength(24) }
  const options = { start: 0.5, duration: 1000 } as const
  const source = sourceOf(tasks, options, { batchSize: 4 })
  const plain = sourceOf(tasks, { start: 1 }, { batchSize: 4 })
  assertEquals(source.steps(0), 3 + 6)
  for (let step = 0; step < 9; step++) {
    const [own, other] = [stepAt(source, step), stepAt(plain, step)]
    own.microBatches.forEach(({ task, rows, length }, i) => {
      const wanted = other.microBatches[i]
      assertEquals([task, rows.length], [wanted.task, wanted.rows.length])
      assertEquals(rows.filter((row) => row < 0).length, wanted.rows.filter((row) => row < 0).length)
      const half = tasks[task as keyof typeof tasks].length / 2
      assert(rows.every((row) => row <= half && row + 1 <= length), `${task}: ${rows} of length ${length}`)
    })
  }
})

Deno.test("a step that is there already stays so", () => {
  const source = sourceOf({ default: rowsByLength(8) }, {})
  const pull: Effect.Effect<unknown, unknown> = source.next({ epoch: 0, step: 0 }, [])
  assert(Exit.isExit(pull))
})

/** A finished step whose rows lost what `lossOf` says. */
const finished = (step: number, rows: ReadonlyArray<number>, lossOf: (row: number) => number): FinishedStep => ({
  step: step + 1,
  loss: 1,
  weight: rows.length,
  gradientNorm: 1,
  examples: rows.map((row) => ({ task: "default", row, loss: lossOf(row) })),
})

Deno.test("self-paced: the first epoch shows all rows, then those below a rising quantile of their last losses", () => {
  for (const order of ["easy", "hard"] as const) {
    const rows = 24, sign = order === "easy" ? 1 : -1
    const lossOf = (row: number) => (row * 7) % rows
    const options = { difficulty: "feedback", pacing: "linear", start: 0.25, duration: 12, order } as const
    const source = sourceOf({ default: rowsByLength(rows) }, options, { epochs: 4 })
    const first = source.steps(0)
    const all: Array<ReadonlyArray<number>> = []
    const lasts = new Map<number, number>()
    for (let step = 0; step < 4 * first; step++) {
      // As in a run: a step is reported by the second draw after its own.
      const feedback = step < 2 ? [] : [finished(step - 2, all[step - 2], lossOf)]
      for (const { row, loss } of feedback[0]?.examples ?? []) lasts.set(row, loss)
      const drawn = rowsOf(stepAt(source, step, feedback))
      all.push(drawn)
      const share = Math.min(1, 0.25 + 0.75 * Math.max(0, step - first) / 12)
      const known = [...lasts.values()].sort((a, b) => sign * (a - b))
      const last = known[Math.max(1, Math.floor(share * known.length + 1e-9)) - 1]
      for (const row of drawn) {
        const loss = lasts.get(row)
        assert(loss === undefined || sign * (loss - last) <= 0, `step ${step}: row ${row} lost ${loss}, over ${last}`)
      }
    }
    assertEquals(all.slice(0, first).flat().sort((a, b) => a - b), [...Array(rows).keys()])
  }
})

Deno.test("a restored state draws the same steps; a wrong one is an error", () => {
  for (const difficulty of ["length", "feedback"] as const) {
    const make = () => sourceOf({ default: rowsByLength(30) }, { difficulty, start: 0.3 })
    const feedbackAt = (step: number) => step < 2 ? [] : [finished(step, [step % 30, 3], (row) => row / 3 + step)]
    const [whole, first, second] = [make(), make(), make()]
    const steps = Array.from({ length: 24 }, (_, step) => stepAt(whole, step, feedbackAt(step)))
    for (let step = 0; step < 13; step++) stepAt(first, step, feedbackAt(step))
    second.state!.restore(JSON.parse(JSON.stringify(first.state!.save())) as Json)
    for (let step = 13; step < 24; step++) assertEquals(stepAt(second, step, feedbackAt(step)), steps[step])
    for (const state of [null, {}, { default: { drawn: [30] } }, { default: { drawn: "all" } }]) {
      assertThrows(() => make().state!.restore(state), Error, "it must be a list of rows below 30")
    }
  }
  const selfPaced = sourceOf({ default: rowsByLength(30) }, { difficulty: "feedback" })
  assertThrows(() => selfPaced.state!.restore({ default: { drawn: [], losses: [1] } }), Error, "a list of 30 numbers")
})

Deno.test("a column gives the difficulty; a row without a number is an error that says what is there", () => {
  const options = { difficulty: { column: "grade" }, start: 0.25 } as const
  const numbers = (row: number) => ({ grade: -row })
  const source = sourceOf({ default: rowsByLength(16) }, options, { numbers })
  assertEquals(rowsOf(stepAt(source, 0)).toSorted((a, b) => a - b), [12, 13, 14, 15])
  const refused = (own?: typeof numbers | (() => Record<string, number>)) =>
    assertThrows(
      () => sourceOf({ default: rowsByLength(16) }, options, own === undefined ? {} : { numbers: own }),
      Error,
    ).message
  assertEquals(
    refused(),
    'curriculum/default: rows of the task "default" need a number in the column "grade", and they have no columns of ' +
      'numbers: read the data with { numbers: ["grade"] }',
  )
  assert(refused(() => ({ level: 1 })).includes('they have numbers of ["level"]'))
  assert(refused(() => ({ grade: NaN })).includes("one is NaN"))
})
