import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import * as Retrieval from "../../../plugins/retrieval/mod.ts"
import { equationsOf } from "../../../plugins/retrieval/facts/arithmetic.ts"

const meaning = "name[Aromi], eatType[coffee shop], food[Chinese], priceRange[less than £20], " +
  "customer rating[5 out of 5], area[city centre], familyFriendly[no], near[Café Rouge]"
const table = Retrieval.restaurants([Retrieval.slotsOf(meaning), { name: "The Mill", near: "Raja Indian Cuisine" }])
const said = (text: string, of = meaning) => {
  const { supported, unsupported, missing } = Retrieval.slots(table).judge(text, Retrieval.slotsOf(of))
  const names = (facts: ReadonlyArray<Retrieval.Fact>) => facts.map(({ name, value }) => `${name} ${value}`)
  return { supported: names(supported), unsupported: names(unsupported), missing: names(missing) }
}

Deno.test("a meaning is read as slots", () => {
  assertEquals(Retrieval.slotsOf("name[The Mill], customer rating[low]"), {
    name: "The Mill",
    "customer rating": "low",
  })
})

Deno.test("all facts of a faithful text are found, and none beside", () => {
  const text =
    "Aromi is a Chinese coffee shop in the city centre near Café Rouge. It is cheap, has a 5 out of 5 customer " +
    "rating and is not family-friendly."
  const { unsupported, missing } = said(text)
  assertEquals([unsupported, missing], [[], []])
})

Deno.test("other values, facts that nobody gave and facts left out are told apart", () => {
  const { supported, unsupported, missing } = said("Aromi is an expensive Italian pub by the river, good for families.")
  assertEquals(supported, ["name Aromi"])
  assertEquals(unsupported, ["food Italian", "priceRange high", "area riverside", "familyFriendly yes", "eatType pub"])
  assertEquals(missing.length, 7)
})

Deno.test("words of a name are no facts of other slots", () => {
  const of = "name[The Mill], near[Raja Indian Cuisine]"
  assertEquals(said("The Mill is near Raja Indian Cuisine.", of), {
    supported: ["name The Mill", "near Raja Indian Cuisine"],
    unsupported: [],
    missing: [],
  })
})

Deno.test("levels are read in many ways of saying them", () => {
  const level = (slot: string, text: string) =>
    said(text, "").unsupported.filter((fact) => fact.startsWith(slot)).map((fact) => fact.slice(slot.length + 1)).join()
  const cases: ReadonlyArray<readonly [slot: string, text: string, value: string]> = [
    ["customer rating", "It has a low customer rating.", "low"],
    ["customer rating", "Customers rate it 1 out of 5.", "low"],
    ["customer rating", "The rating is only average.", "average"],
    ["customer rating", "It has a low customer  service rating.", "low"],
    ["customer rating", "rated three out of five", "average"],
    ["customer rating", "a highly rated place", "high"],
    ["priceRange", "with prices of less than £20", "cheap"],
    ["priceRange", "inexpensive", "cheap"],
    ["priceRange", "a moderate price range", "moderate"],
    ["priceRange", "between £20 and £25", "moderate"],
    ["priceRange", "the price range is high", "high"],
    ["priceRange", "meals cost more than £30", "high"],
    ["familyFriendly", "It is child-friendly.", "yes"],
    ["familyFriendly", "It isn't a place for children.", "no"],
    ["familyFriendly", "a non family-friendly pub", "no"],
    ["familyFriendly", "It is not cheap, but children are welcome.", "yes"],
    ["area", "in the centre of the city", "city centre"],
  ]
  for (const [slot, text, value] of cases) assertEquals(level(slot, text), value, text)
})

Deno.test("equations hold by arithmetic, to the places that are written", () => {
  const holds = (text: string) => equationsOf(text).map(({ result, holds }) => [result, holds])
  assertEquals(holds("48/2 = 24 clips and (48 + 24) x 2 = 144"), [[24, true], [144, true]])
  assertEquals(holds("100 - 50 - 30 - 15 = $5, 2+3*4=14, 2+3*4 = 20"), [[5, true], [14, true], [20, false]])
  assertEquals(holds("20% * $1,500 = $300; 10/3 = 3.33; 10/3 = 3.3; 10/3 = 3"), [
    [300, true],
    [3.33, true],
    [3.3, true],
    [3, false],
  ])
  assertEquals(holds("so x = 5 and 7 = 7, 2x + x = 6"), [])
  assertEquals(
    holds("2 ducks * 5 ducklings/duck = 10 ducklings; he buys 2 in a week then 2 x 4=8, and 12 times 12 equals 144."),
    [
      [10, true],
      [8, true],
      [144, true],
    ],
  )
  assertEquals(holds("$12/adult x 3 adults = $36 + $30 = $66"), [[36, true], [66, true]])
})

Deno.test("numbers are supported by the question or by equations that hold", () => {
  const question = "A farm has 48 hens. Half of them lay 3 eggs each. How many eggs are there?"
  const { judge } = Retrieval.numbers()
  const judged = (text: string, answer = 72) => {
    const { unsupported, covered, missing } = judge(text, { question, answer })
    return [unsupported.map(({ value }) => value), covered.length, missing.length]
  }
  assertEquals(judged("48/2 = 24 hens lay. 24 x 3 = 72.\n#### 72"), [[], 1, 0])
  assertEquals(judged("48/2 = 26 hens lay. 26 x 3 = 78.\n#### 78"), [["26", "26", "78", "78"], 0, 1])
  assertEquals(judged("There are 17 eggs, so 72."), [["17", "72"], 1, 0])
  assertEquals(judge("It is 72.", { question }).missing, [])
  assertEquals(Retrieval.finalNumber("so 3 or 4.\n#### 1,200"), 1200)
  assertEquals(Retrieval.finalNumber("it is -5."), -5)
  assertEquals(Retrieval.finalNumber("none"), undefined)
})

const fact = { name: "a", value: "b" }
const judgement = (supported: number, unsupported: number, covered = 0, missing = 0): Retrieval.Judgement => {
  const of = (length: number) => Array.from({ length }, () => fact)
  return { supported: of(supported), unsupported: of(unsupported), covered: of(covered), missing: of(missing) }
}

Deno.test("agreement and drift by hand, with an interval that has the change", () => {
  const before = [judgement(1, 1, 1, 1), judgement(2, 0, 2, 0), judgement(0, 2, 0, 2), judgement(3, 0, 1, 1)]
  assertEquals(Retrieval.agreement(before), {
    texts: 4,
    stated: 9 / 4,
    supported: 6 / 9,
    covered: 4 / 8,
    faithful: 2 / 4,
    exact: 1 / 4,
  })
  const after = before.map(({ supported, covered }) => ({ supported, unsupported: [], covered, missing: [] }))
  const changes = Object.fromEntries(Retrieval.drift(before, after).map(({ measure, ...rest }) => [measure, rest]))
  assertEquals(changes.faithful.after, 1)
  assert(changes.faithful.interval[0] >= 0 && changes.faithful.interval[1] <= 1)
  assert(changes.faithful.interval[0] < 0.5 && changes.faithful.interval[1] > 0.5)
  assertEquals(Retrieval.drift(before, before).map(({ interval }) => interval), Array(5).fill([0, 0]))
  const { reason, message } = assertThrows(() => Retrieval.drift(before, []), DataError)
  assertEquals(reason, "BadInput")
  assertStringIncludes(message, "got 4 before and 0 after")
})

Deno.test("an interval is as wide as that of two shares by hand", () => {
  const rng = makeRng(5)
  const rows = (share: number) => Array.from({ length: 200 }, () => judgement(1, rng.float() < share ? 0 : 1))
  const [before, after] = [rows(0.3), rows(0.8)]
  const { interval: [low, high], ...faithful } = Retrieval.drift(before, after).find(({ measure }) =>
    measure === "faithful"
  )!
  const variance = (share: number) => share * (1 - share) / 200
  const width = 1.96 * Math.sqrt(variance(faithful.before) + variance(faithful.after))
  const change = faithful.after - faithful.before
  assert(
    Math.abs(low - (change - width)) < 0.03 && Math.abs(high - (change + width)) < 0.03,
    `${low} ${high} ${change}`,
  )
  const { table } = Retrieval.driftSection("Agreement", before, after)
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  assertEquals(table!.rows.find(([name]) => name === "Texts without an unsupported fact")!.slice(1), [
    percent(faithful.before),
    percent(faithful.after),
    `${percent(low)} to ${percent(high)}`,
  ])
})
