import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert"
import { exposures, membershipAttack } from "../../../plugins/differential_privacy/mod.ts"

const members = [2.5, 0.3, 1.7, 0.9, 0.9, -0.2, 3.1, 1.1]
const others = [0.1, 0.9, -0.7, 1.4, 0.3, -1.2, 0, 0.5, -0.3, 1.7]

Deno.test("AUC and interval of an attack are those of numpy by midranks, ties counting half", () => {
  const { auc, interval: [low, high], truePositiveRate, curve } = membershipAttack(members, others)
  // DeLong's variance by midranks (Sun and Xu 2014), in numpy 2: 0.013618551587301585.
  assertAlmostEquals(auc, 0.7625, 1e-12)
  assertAlmostEquals(low, 0.5337750448243181, 1e-12)
  assertAlmostEquals(high, 0.9912249551756818, 1e-12)
  assertEquals(truePositiveRate, 2 / 8)
  assertEquals(curve[0], [0, 0])
  assertEquals(curve[3], [0.1, 3 / 8])
  assertEquals(curve.at(-1), [1, 1])
  const area = curve.slice(1).reduce((sum, [x, y], i) => sum + (x - curve[i][0]) * (y + curve[i][1]) / 2, 0)
  assertAlmostEquals(area, auc, 1e-12)
})

Deno.test("an attack that tells all apart has the AUC 1, one that tells nothing 0.5", () => {
  assertEquals(membershipAttack([3, 4], [1, 2]), {
    auc: 1,
    interval: [1, 1],
    truePositiveRate: 1,
    curve: [[0, 0], [0, 0.5], [0, 1], [0.5, 1], [1, 1]],
  })
  const blind = membershipAttack([1, 1, 1], [1, 1, 1])
  assertEquals([blind.auc, blind.truePositiveRate], [0.5, 0])
})

Deno.test("at most 1 % of the others pass the threshold", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i)
  assertEquals(membershipAttack([98.5, 97.5, 200, 0], hundred).truePositiveRate, 2 / 4)
})

Deno.test("exposure is log2 of candidates over rank", () => {
  const candidates = [1, 2, 3, 4, 5, 6, 7]
  // Ranks 1, 4, 8 of 8.
  assertEquals(exposures([9, 4.5, 0], candidates), [3, 1, 0])
  assertEquals(exposures([7], candidates), [2])
})

Deno.test("scores that say nothing are errors", () => {
  assertThrows(() => membershipAttack([1], [1, 2]), RangeError, "members must be two scores or more, got 1")
  assertThrows(() => membershipAttack([1, 2], [1, NaN]), RangeError, "the scores of others must be finite numbers")
  assertThrows(() => exposures([1], []), RangeError, "exposure needs one candidate or more, got none")
  assertThrows(() => exposures([NaN], [1]), RangeError, "got NaN")
})
