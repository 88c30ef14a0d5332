import { assertEquals } from "@std/assert"
import { makeRng } from "../../../../core/tensor/operations/random.ts"
import { labelled, notes, refused, says, tagged, times } from "./support.ts"

const drawn = (count: number, draw: (rng: ReturnType<typeof makeRng>) => unknown) => {
  const rng = makeRng(5)
  return Array.from({ length: count }, () => draw(rng))
}

Deno.test("scores are refused with what would work", () => {
  for (
    const scores of [
      // As in STS-B, 0 to 5 in steps of a tenth or a fifth.
      drawn(400, (rng) => (rng.int(51) / 10).toFixed(1)),
      drawn(3000, (rng) => (rng.int(26) / 5).toFixed(3)),
      // Probabilities, percentages, decimal commas, a missing one among them.
      drawn(12, (rng) => rng.float()),
      drawn(60, (rng) => `${rng.int(1000) / 10} %`),
      drawn(60, (rng) => String(rng.float() * 10).replace(".", ",")),
      [...drawn(60, (rng) => rng.float()), "unknown"],
      // Whole numbers: prices, points.
      drawn(60, (rng) => rng.int(5000)),
      drawn(200, (rng) => 1 + rng.int(400)),
      // Few rows, with a step of its own for nearly each.
      drawn(30, (rng) => rng.int(20) / 4),
    ]
  ) refused(() => labelled(scores), "are scores, not classes", "bins", "`labels`", /\d+ different labels in \d+ rows/)
  refused(() => tagged([drawn(20, (rng) => rng.float())]), "20 different labels in 20 words")
})

Deno.test("numbers that are classes stay classes", () => {
  for (
    const [labels, told] of [
      [times(4, 1, 2, 3, 4, 5), ""],
      [times(2, ...Array(11).keys()), ""],
      [[...Array(11).keys(), 3, 7, 8], ""],
      [times(3, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5), ""],
      [[10, 9, -1.5], ""],
      [times(4, 0, 0.25, 0.5, 0.75, 1), ""],
      // Half stars from 0 to 10.
      [times(6, ...Array.from({ length: 21 }, (_, i) => i / 2)), ""],
      // Ids, as of 77 intents or 150.
      [times(2, ...Array(77).keys()), "77 different numbers, 0 to 76"],
      [times(9, ...Array(150).keys()), "150 different numbers"],
      // Points may be classes where each has many rows, and may not.
      [times(30, ...Array.from({ length: 41 }, (_, i) => 60 + i)), "41 different numbers, 60 to 100"],
    ] as const
  ) {
    const data = labelled(labels)
    assertEquals(data.labels.length, new Set(labels).size)
    if (labels.every((label) => Number.isInteger(label)) && told === "") assertEquals(notes(data), "")
    else says(notes(data), told, "if they are scores")
  }
})

Deno.test("explicit labels are taken at their word", () => {
  const names = Array.from({ length: 30 }, (_, i) => String(i / 10))
  assertEquals(labelled(names, names).labels, names)
})

Deno.test("free text is refused, and few rows with few classes are not", () => {
  const answers = Array.from({ length: 40 }, (_, i) => `the answer to question ${i % 30} is a pear`)
  refused(() => labelled(answers), "30 different labels in 40 rows", "free text", "the right one", "completion")
  refused(() => labelled("apple pear plum quince fig medlar cherry sloe".split(" ")), "free text")
  assertEquals(labelled(["apple", "pear", "plum"]).labels.length, 3)
  const rare = labelled([..."abcdefghijkl", ...times(8, "a")])
  says(notes(rare), "11 of 12 labels stand in a single place each")
  assertEquals(labelled(times(2, ...answers.slice(0, 30))).labels.length, 30)
})

Deno.test("spellings of few classes in few rows are told, and are no free text", () => {
  for (
    const labels of [
      ["Fig", "fig", "FIG", "fig.", "Plum", "plum", "PLUM", "plum "],
      ["sweet-sour", "sweet sour", "Sweet Sour", "sweet_sour", "bitter", "Bitter", "BITTER", '"bitter"'],
      ["caf\u00e9", "cafe\u0301", "CAF\u00c9", "Caf\u00e9", "bar", "Bar", "BAR", "bar!"],
    ]
  ) says(notes(labelled(labels)), "differ in spelling alone")
})
