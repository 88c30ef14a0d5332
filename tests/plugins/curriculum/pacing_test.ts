import { assert, assertAlmostEquals, assertEquals } from "@std/assert"
import { PACINGS, poolSize } from "../../../plugins/curriculum/pacing.ts"
import { rowsByLength, rowsOf, sourceOf, stepAt } from "./support.ts"

/** The formulas in steps t of T, as the papers have them. */
const formulas: Readonly<Record<keyof typeof PACINGS, (t: number, T: number, c0: number, stages: number) => number>> = {
  linear: (t, T, c0) => Math.min(1, t * (1 - c0) / T + c0),
  root: (t, T, c0) => Math.min(1, c0 + (1 - c0) * Math.sqrt(t / T)),
  step: (t, T, c0, stages) => Math.min(1, c0 + (1 - c0) / stages * Math.floor(t * stages / T)),
  competence: (t, T, c0) => Math.min(1, Math.sqrt(t * (1 - c0 ** 2) / T + c0 ** 2)),
}

Deno.test("pacings equal the formulas, start at c0 and rise to 1", () => {
  for (const [name, formula] of Object.entries(formulas)) {
    const pacing = PACINGS[name as keyof typeof PACINGS]
    for (const start of [0.01, 0.1, 0.5, 1]) {
      let last = 0
      for (let t = 0; t <= 40; t++) {
        const found = pacing({ progress: t / 40, start, stages: 5 })
        assertAlmostEquals(found, formula(t, 40, start, 5), 1e-12)
        assert(found >= last - 1e-12, `${name} falls`)
        last = found
      }
      assertAlmostEquals(pacing({ progress: 0, start, stages: 5 }), start, 1e-12)
      assertAlmostEquals(last, 1, 1e-12)
    }
  }
  // Platanios et al. 2019: half of the way with c0 = 0.1.
  assertAlmostEquals(PACINGS.competence({ progress: 0.5, start: 0.1, stages: 1 }), Math.sqrt(0.505), 1e-15)
})

Deno.test("a pool has its share of the rows, and at least one", () => {
  assertEquals([0.001, 0.29, 0.295, 0.5, 1].map((share) => poolSize(share, 100)), [1, 29, 29, 50, 100])
  assertEquals([0.1, 1].map((share) => poolSize(share, 1)), [1, 1])
})

for (
  const [pacing, formula] of Object.entries(formulas) as ReadonlyArray<[keyof typeof PACINGS, typeof formulas.step]>
) {
  Deno.test(`each step of the pacing "${pacing}" draws from the rows that its formula allows`, () => {
    const rows = 60, duration = 30, start = 0.2
    for (const order of ["easy", "hard"] as const) {
      const stages = pacing === "step" ? { stages: 3 } : {}
      const options = { pacing, duration, start, order, ...stages }
      for (let step = 0; step < 40; step++) {
        // A first step as large as the data draws every row of its pool before one comes again.
        const source = sourceOf({ default: rowsByLength(rows) }, options, { batchSize: rows, epochs: 40 })
        const drawn = rowsOf(stepAt(source, step))
        assertEquals(drawn.length, rows)
        const size = Math.floor(formula(step, duration, start, 3) * rows + 1e-9)
        const wanted = Array.from({ length: size }, (_, rank) => order === "easy" ? rank : rows - size + rank)
        assertEquals([...new Set(drawn)].sort((a, b) => a - b), wanted, `step ${step}`)
      }
    }
  })
}

Deno.test("the pacing lasts half of the run by default", () => {
  const source = () => sourceOf({ default: rowsByLength(40) }, { start: 0.25 }, { batchSize: 40, epochs: 20 })
  const sizes = Array.from({ length: 20 }, (_, step) => new Set(rowsOf(stepAt(source(), step))).size)
  assertEquals(sizes[0], 10)
  assertEquals(sizes[9], Math.floor(40 * Math.sqrt(0.9 * (1 - 0.0625) + 0.0625)))
  assertEquals(sizes.slice(10), Array.from({ length: 10 }, () => 40))
})
