import { assertEquals } from "@std/assert"
import { labelNames } from "../../../../core/data/labels/labels.ts"
import { ids, labelled, notes, refused, says, tagged, times } from "./support.ts"

Deno.test("numbers are sorted by value whatever their size, without losing a digit", () => {
  // Python: sorted(..., key=decimal.Decimal)
  const sorted = ["-1e400", "-2", "-1.5", "0", "1e-400", "3", "9007199254740992", "9007199254740993", "1e400"]
  assertEquals(labelNames(sorted.toReversed()), sorted)
  assertEquals(labelNames(["12345678901234567891", "12345678901234567890", "9"]), [
    "9",
    "12345678901234567890",
    "12345678901234567891",
  ])
  // Only decimal digits are numbers.
  assertEquals(labelNames(["0x10", "9", "Infinity", "10"]), ["0x10", "10", "9", "Infinity"])
  assertEquals(labelNames(["b", "10", "9"]), ["10", "9", "b"])
})

Deno.test("ids that a float cannot tell apart stay two classes", () => {
  // pandas 3.1.1 reads the first column as uint64 with 2 values, the second as text with 2.
  for (const [a, b] of [["12345678901234567890", "12345678901234567891"], ["1".repeat(30), `${"1".repeat(29)}2`]]) {
    const data = labelled([a, b, b, a])
    assertEquals([data.labels, ids(data), notes(data)], [[a, b], [0, 1, 1, 0], ""])
  }
  assertEquals(labelled([9007199254740993n, 9007199254740992n]).labels, ["9007199254740992", "9007199254740993"])
})

Deno.test("one number or truth value in several spellings is one class, and a note says so", () => {
  // pandas 3.1.1: float64 with the values 0, 1, 2; bool with True, False.
  const numbers = labelled(["1", "1.0", 1, "2.0", " 1 ", "0", "1.00"])
  assertEquals([numbers.labels, ids(numbers)], [["0", "1", "2"], [1, 1, 1, 2, 1, 0, 1]])
  says(notes(numbers), 'rows, column "l"', '"1.0" (row 2)', '"1.00" (row 7)', 'are one class, "1"')
  says(notes(numbers), '"2.0" (row 4) is the class "2"')
  const truths = labelled(["true", true, "True", "TRUE", false])
  assertEquals([truths.labels, ids(truths)], [["false", "true"], [1, 1, 1, 1, 0]])
  says(notes(truths), '"True" (row 3) and "TRUE" (row 4) are one class, "true"')
  const spaces = labelled(["no", "yes", " no", "yes"])
  assertEquals([spaces.labels, ids(spaces)], [["no", "yes"], [0, 1, 0, 1]])
  says(notes(spaces), '" no" (row 3) are one class, "no"')
})

Deno.test("labels in one spelling keep it, in silence", () => {
  for (const cells of [["1.0", "0.0"], ["True", "False"], ["1", "02", "3"], ["B-PER", "I-PER", "O"], [" a", " b"]]) {
    const data = labelled([...cells, ...cells])
    assertEquals([[...data.labels].sort(), notes(data)], [cells.map((cell) => cell.trim()).sort(), ""])
  }
})

Deno.test("labels that look alike stay apart, and a note counts them", () => {
  for (
    const [a, b] of [
      ["Spam", "spam"],
      ["very good", "very  good"],
      ["very_good", "very-good"],
      ["cafe\u0301", "caf\u00e9"],
      ["\uff21", "A"],
      ["STRASSE", "straße"],
      ["good.", "good"],
      ["'good'", "good"],
      ["go\u200bod", "good"],
      ["007", "7"],
      ["1.10", "1.1"],
      ["+1", "1"],
      ["1e0", "1"],
    ]
  ) {
    const data = labelled([a, b, "other", ...times(6, b)])
    assertEquals(data.labels.length, 3, `${a} ${b}`)
    says(notes(data), "differ in spelling alone", `${JSON.stringify(a)} (row 1)`, `${JSON.stringify(b)} (7 times)`)
  }
  says(notes(labelled([0, 1, true, false])), "0 or 1 stand beside true or false")
})

Deno.test("different labels are not taken to look alike", () => {
  const parts = [["C", "C++", "C#"], ["NN", "NNS"], [",", ".", ":", "``", "''"], ["-2", "2", "3"], ["a1", "a2"], [
    "é",
    "e",
  ]]
  for (const labels of parts) assertEquals(notes(labelled([...labels, "x", "x"].map(String))).includes("alone"), false)
})

Deno.test("a class that reads like a missing value is told", () => {
  for (const name of ["NaN", "None", "null", "N/A", "<NA>", "\\N", "_", "?"]) {
    says(notes(labelled(["good", name, "bad", "good"])), `${JSON.stringify(name)} (row 2) reads like a missing label`)
  }
  says(notes(tagged([["O", "_", "X"], ["O", "_", "X"]])), '"_" (rows 1, 2)')
})

Deno.test("given names: another spelling of a number is the name, of a word an error that names it", () => {
  const data = labelled([1, 0, "1.0"], ["0", "1"])
  assertEquals(ids(data), [1, 0, 1])
  says(notes(data), '"1.0" (row 3) are one class, "1"')
  assertEquals(ids(labelled(["0.0", "1.0", "no"], ["no", "yes"])), [0, 1, 0])
  assertEquals(ids(labelled(["1", "2"], ["1.0", "2.0"])), [0, 1], "the names are numbers, so 1 is no id")
  refused(() => labelled(["Spam", "ham"], ["ham", "spam"]), '"Spam" in row 1', '"spam" differs in spelling alone')
  for (const id of ["+1", "01", "1e0", "-1"]) refused(() => labelled(["no", id], ["no", "yes"]), JSON.stringify(id))
})

Deno.test("given names: ids beside names, names without a row and names that look alike are told", () => {
  const mixed = labelled(["no", 1, "yes", 1], ["no", "yes", "Yes"])
  assertEquals(ids(mixed), [0, 1, 1, 1])
  says(notes(mixed), 'ids stand beside names: "1" (rows 2, 4) for "yes"', 'no row has the label "Yes"')
  says(notes(mixed), '"yes" (row 3) and "Yes" (in no row)')
  assertEquals(notes(labelled([0, 1, 1], ["no", "yes"])), "")
})
