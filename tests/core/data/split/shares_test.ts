import { assert, assertEquals } from "@std/assert"
import { fromRows } from "../../../../core/tasks/dataset/dataset.ts"
import { splitData } from "../../../../core/data/split/split.ts"
import { shares } from "../../../../core/data/split/shares.ts"
import { makeRng } from "../../../../core/tensor/operations/random.ts"

const data = (sizes: Readonly<Record<string, number>>) =>
  fromRows(
    Object.entries(sizes).flatMap(([l, size]) => Array.from({ length: size }, (_, i) => ({ t: `${l} ${i}`, l }))),
    { text: "t", label: "l" },
  )
const counts = (part: { readonly labels: ReadonlyArray<string>; readonly rows: ReadonlyArray<{ label: number }> }) =>
  part.labels.map((_, id) => part.rows.filter(({ label }) => label === id).length)

Deno.test("over seeds, equal classes have equal chances of a row in test and validation", () => {
  const classes = Object.fromEntries([..."abcdefghij"].map((name) => [name, 3]))
  const seeds = 600
  const sums = { test: new Array(10).fill(0), validation: new Array(10).fill(0) }
  const both = new Set<string>()
  for (let seed = 0; seed < seeds; seed++) {
    const splits = splitData(data(classes), { validation: 0.1, test: 0.1, seed })
    for (const name of ["test", "validation"] as const) {
      const own = counts(splits[name])
      assertEquals(own.reduce((a, b) => a + b), 3)
      assert(Math.max(...own) === 1)
      own.forEach((count, id) => sums[name][id] += count)
    }
    both.add(`${counts(splits.test)} ${counts(splits.validation)}`)
  }
  // 3 of 10 classes a seed: a mean of 180, with a standard deviation of 11.2; 4.5 of these are 51.
  for (const own of Object.values(sums)) {
    assert(own.every((sum) => Math.abs(sum - 0.3 * seeds) < 51), own.join())
    // Chi-squared with 9 degrees of freedom, scaled for draws without replacement: 33.7 is exceeded once in 10,000.
    const chi = own.reduce((sum, n) => sum + (n - 180) ** 2 / (180 * 0.7) * 0.9, 0)
    assert(chi < 33.7, `${chi}`)
  }
  assert(both.size > 400, "test and validation are drawn apart")
})

Deno.test("equal remainders of unequal classes are ties too", () => {
  // 0.1 of 7, 17, 27: all 0.7 and something, which differ in their last bits.
  const firsts = new Array(3).fill(0)
  for (let seed = 0; seed < 300; seed++) {
    const own = shares([7, 17, 27], [6, 16, 26], 0.1, makeRng(seed))
    assertEquals(own.reduce((a, b) => a + b), 5)
    own.forEach((count, id) => firsts[id] += count - id)
  }
  assert(firsts.every((count) => Math.abs(count - 200) < 40), firsts.join())
})

Deno.test("a split without ties needs no draw, and each class has its share", () => {
  for (let seed = 0; seed < 20; seed++) {
    const splits = splitData(data({ ham: 4516, spam: 643 }), { validation: 0.1, test: 0.2, seed })
    assertEquals([counts(splits.test), counts(splits.validation)], [[903, 129], [452, 64]])
  }
})

Deno.test("each class keeps a text to train on, however large the parts", () => {
  for (let seed = 0; seed < 30; seed++) {
    for (const [validation, test] of [[0.1, 0.1], [0.3, 0.3], [0.45, 0.5]]) {
      const splits = splitData(data({ a: 1, b: 2, c: 2, d: 3, e: 20 }), { validation, test, seed })
      assert(Math.min(...counts(splits.train)) >= 1, `${validation} ${test}: ${counts(splits.train)}`)
    }
  }
})

Deno.test("the split is the same as before where no two remainders are equal", () => {
  // Rows of test and validation as they were when ties went to the earlier class.
  for (const [seed, test, validation] of [[42, [3, 4, 14, 15], [10, 13]], [7, [2, 7, 12, 13], [5, 18]]] as const) {
    const splits = splitData(data({ a: 11, b: 7 }), { validation: 0.1, test: 0.2, seed })
    const rows = [splits.test, splits.validation].map((part) => part.rows.map(({ row }) => row))
    assertEquals(rows, [[...test], [...validation]])
  }
})
