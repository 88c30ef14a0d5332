import { assertEquals } from "@std/assert"
import { countLabels, encodeRows, framed } from "../support.ts"
import { labelled, notes, refused, says, tagged, times } from "./support.ts"
import { fromRows } from "../../../../core/tasks/dataset/dataset.ts"

Deno.test("words tagged -100 are masked, whatever the other tags are", () => {
  // PyTorch 2.13: cross_entropy(..., ignore_index=-100) by default.
  for (const tags of [[0, -100, 1], ["B-PER", "-100", "O"], ["0.0", "-100.0", "1.0"], [-2, -100, 2]]) {
    const data = tagged([tags, tags])
    assertEquals(data.labels, [tags[0], tags[2]].map(String))
    assertEquals(data.rows.map(({ labels }) => labels), [[0, -100, 1], [0, -100, 1]])
    says(notes(data), `the tag ${tags[1]} is no label: 2 words`, "rows 1, 2")
  }
})

Deno.test("words tagged -1 are masked beside names and ids from 0", () => {
  for (const tags of [[0, -1, 2, 1], ["O", -1, "B-PER", "I-PER"], ["0.0", "-1.0", "2.0", "3.0"]]) {
    const data = tagged([tags, tags])
    assertEquals(data.labels.length, 3)
    assertEquals(data.rows[0].labels[1], -100)
    says(notes(data), `the tag ${tags[1]} is no label`)
  }
  const named = tagged([[0, -1, 1], [-100, 0, 1]], ["no", "yes"])
  assertEquals(named.rows.map(({ labels }) => labels), [[0, -100, 1], [-100, 0, 1]])
})

Deno.test("a -1 that may be a class is asked for, and one that is a class stays one", () => {
  refused(() => tagged([[-1, 0, 1], [0, 1, -1]]), "-1 beside 0, 1", "-100", "`labels`")
  assertEquals(refused(() => tagged([[1, 0, 2], [0, -1, -100]]), "-1 beside").rows, [2])
  refused(() => tagged([[-1, 0, 1]], ["negative", "neutral", "positive"]), "-1 beside 0, 1")
  assertEquals(tagged([[-2, -1, 0], [1, 2, 0]]).labels, ["-2", "-1", "0", "1", "2"])
  const given = tagged([[-1, 0, 1], [0, 1, -1]], ["-1", "0", "1"])
  assertEquals(given.rows.map(({ labels }) => labels), [[0, 1, 2], [1, 2, 0]])
})

Deno.test("a row without any label is left out, and data without any is refused", () => {
  const data = tagged([["O", "P"], [-100, -100], ["P", -100]])
  assertEquals(data.rows.map(({ row }) => row), [1, 3])
  says(notes(data), "no word has a label in row 2: left out")
  refused(() => tagged([[-100, -100], [-100]]), "at least two", "-100, which stands for")
})

Deno.test("a masked word has no target and is not counted", () => {
  const data = fromRows([{ w: ["a", "b", "c"], g: [1, -100, 0] }], { words: "w", tags: "g" })
  const { examples } = encodeRows(data, framed, { maxLength: 8 })
  assertEquals([Array.from(examples[0].fields.labels), countLabels(examples)], [[-100, 1, -100, 0, -100], 2])
})

Deno.test("rows whose label says no label are named, and nothing is trained on them", () => {
  // GLUE's test files: -1 in all rows.
  refused(() => labelled(times(9, -1)), "no row has a label", "GLUE")
  const some = refused(() => labelled([0, 1, -1, 2, -1]), "-1 in rows 3, 5", "take these rows out", "`labels`")
  assertEquals(some.rows, [3, 5])
  refused(() => labelled(["ham", "spam", -1]), "-1 in row 3")
  refused(() => labelled(["0.0", "2.0", "-1.0", "1.0"]), "-1.0 in row 3")
  refused(() => labelled([0, -100, 1]), "-100 in row 2")
  refused(() => labelled([0, 0, -1]), "-1 in row 3")
  refused(() => labelled(["no", "-100", "yes"], ["no", "yes"]), '"-100" in row 2')
  refused(() => labelled([0, "-100.0", 1], ["no", "yes"]), '"-100.0" in row 2')
  // A training and a test file of GLUE, put together.
  refused(() => labelled([...times(10, 0, 1, 1), ...times(12, -1)]), "-1 in rows 31, 32")
  says(
    refused(() => labelled([0, 1, -1], ["no", "yes"]), '"-1" in row 3').message,
    '-1 and -100 often stand for "no label"',
  )
})

Deno.test("a mark from -1 to 1 is a class, and a note says so", () => {
  // As files of libsvm write them, too.
  for (const marks of [[-1, 0, 1], [-1, 1], ["-1", "+1"], ["-1", "0", "+1"]]) {
    const data = labelled(times(20, ...marks))
    assertEquals(data.labels, marks.map(String))
    says(notes(data), "the label -1 is a class, 20 rows")
  }
  // Sorted by label, as many files are.
  assertEquals(labelled([...times(9, -1), ...times(9, 0), ...times(9, 1)]).labels.length, 3)
  for (const labels of [[-2, -1, 0, 1, 2], [-100, 100], [-1, -0.5, 0.5]]) {
    assertEquals(labelled(times(4, ...labels)).labels, labels.map(String))
  }
  assertEquals(labelled([-1, 0, 1, 2], ["-1", "0", "1", "2"]).rows[0].label, 0)
})
