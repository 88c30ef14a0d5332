import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { type Columns, fromRows } from "../../../../core/tasks/dataset/dataset.ts"
import { findDuplicates } from "../../../../core/data/split/duplicates.ts"
import { normalizeText } from "../../../../core/data/split/text_keys.ts"
import { splitData, type SplitOptions } from "../../../../core/data/split/split.ts"

type Row = Readonly<Record<string, unknown>>

/** Rows that are left out, with the rows that they repeat, and rows that conflict. */
const found = (rows: ReadonlyArray<Row>, columns: Columns) => {
  const { duplicates, conflicts } = findDuplicates(fromRows(rows, columns))
  return { duplicates: duplicates.map(({ row, of }) => [row, of]), conflicts: conflicts.map(({ rows }) => rows) }
}
const texts = (...all: ReadonlyArray<readonly [string, string]>) => all.map(([t, l]) => ({ t, l }))
const labelled = { text: "t", label: "l" } as const

Deno.test("a text with another label conflicts; with the same one it is a duplicate", () => {
  const rows = texts(["The pear is ripe", "good"], ["the pear  is ripe ", "bad"], ["THE PEAR IS RIPE", "good"], [
    "Quince",
    "bad",
  ], ["quince\r\n", "bad"])
  assertEquals(found(rows, labelled), { duplicates: [[3, 1], [5, 4]], conflicts: [[1, 2]] })
  const { conflicts } = findDuplicates(fromRows(rows, labelled))
  assertEquals(conflicts, [{ rows: [1, 2], labels: ["good", "bad"], text: "The pear is ripe" }])
})

Deno.test("a text with another indentation is another example, whatever its label", () => {
  const loops = ["for a in b:\n    c()\n    d()", "for a in b:\n    c()\nd()", "for a in b:\n\tc()\n\td()"]
  assertEquals(found(texts([loops[0], "two"], [loops[1], "one"], [loops[2], "two"]), labelled), {
    duplicates: [],
    conflicts: [],
  })
  assertEquals(found(texts(["    return x", "a"], ["return x", "a"], ["z", "b"]), labelled).duplicates, [])
  const same = texts([loops[0], "two"], [loops[0].replaceAll("\n", "\r\n"), "two"], ["x", "one"])
  assertEquals(found(same, labelled).duplicates, [[2, 1]])
  // Lines of their own are not one line.
  assertEquals(found(texts(["a\nb", "x"], ["a b", "x"], ["c", "y"]), labelled).duplicates, [])
})

Deno.test("completions: every character counts, and several completions of a prompt are examples", () => {
  const columns = { prompt: "p", completion: "c" }
  const pairs = (...all: ReadonlyArray<readonly [string, string]>) => all.map(([p, c]) => ({ p, c }))
  for (
    const other of [
      ["def f(x):\n", "  return x"],
      ["def f(x):\n", "    return X"],
      ["def f(x):\n", "    return x\n"],
      ["def f(x):\n", "    pass"],
      ["def F(x):\n", "    return x"],
      ["def f(x): \n", "    return x"],
    ] as const
  ) {
    const rows = pairs(["def f(x):\n", "    return x"], other)
    assertEquals(found(rows, columns), { duplicates: [], conflicts: [] }, JSON.stringify(other))
  }
  const rows = pairs(["a\n", "b\n"], ["a\r\n", "b\r\n"], ["a\n", "b\n"])
  assertEquals(found(rows, columns).duplicates, [[2, 1], [3, 1]])
})

Deno.test("words: other tags conflict where both rows have some; case makes another example", () => {
  const columns = { words: "w", tags: "g" }
  const rows = [
    { w: ["Rose", "prunes"], g: ["P", "O"] },
    { w: ["Rose", "prunes"], g: ["O", "O"] },
    { w: ["Rose", "prunes"], g: ["P", "O"] },
    { w: ["rose", "prunes"], g: ["O", "O"] },
    { w: ["Rose prunes"], g: ["P"] },
    { w: ["Ida", "plants"], g: ["P", -100] },
    { w: ["Ida", "plants"], g: [-100, "O"] },
  ]
  assertEquals(found(rows, columns), { duplicates: [[3, 1]], conflicts: [[1, 2]] })
})

Deno.test("plain texts: indentation makes another example, case and line ends do not", () => {
  const rows = [
    "def f():\n    a()\n    b()",
    "def f():\n    a()\nb()",
    "Plum",
    "plum",
    "def f():\r\n    a()\r\nb()\r\n",
  ]
  assertEquals(found(rows.map((t) => ({ t })), { text: "t" }), {
    duplicates: [[4, 3], [5, 2]],
    conflicts: [],
  })
})

Deno.test("what looks alike stands in one part, for every kind of data", () => {
  const many = Array.from({ length: 60 }, (_, i) => i)
  const variants = ["  if a:\n    b()", "if a:\n    b()", "IF A:\n\tB()", "if a: b()"]
  const kinds: ReadonlyArray<readonly [Columns, (i: number, text: string) => Row]> = [
    [{ text: "t" }, (i, text) => ({ t: `${text} # ${i}` })],
    [labelled, (i, text) => ({ t: `${text} # ${i}`, l: text.length % 2 })],
    [{ prompt: "t", completion: "c" }, (i, text) => ({ t: `${text} # ${i}`, c: text.toUpperCase() })],
    [{ words: "w", tags: "g" }, (i, text) => ({ w: [...text.trim().split(/\s+/), String(i)], g: tagsOf(text) })],
  ]
  const tagsOf = (text: string) => [...text.trim().split(/\s+/).map((word) => (/^[A-Z]/.test(word) ? "U" : "L")), "N"]
  for (const [columns, row] of kinds) {
    const data = fromRows(many.flatMap((i) => variants.map((text) => row(i, text))), columns)
    for (let seed = 0; seed < 5; seed++) {
      const { train, validation, test, removedDuplicates } = splitData(data, { seed, validation: 0.15, test: 0.25 })
      const keys = [train, validation, test].map((part) =>
        new Set(part.rows.map((row) => normalizeText(data.kind.texts(row as never)[0])))
      )
      assertEquals(keys[0].size + keys[1].size + keys[2].size, 60, `${data.kind.name}: a text stands in two parts`)
      assertEquals([keys[2].size, keys[1].size], [15, 9])
      const rows = train.rows.length + validation.rows.length + test.rows.length
      assertEquals(rows + removedDuplicates, data.rows.length)
    }
  }
})

Deno.test("what was left out and what conflicts is told with rows, in training's notes too", () => {
  const rows = [
    ...texts(["ripe", "good"], ["ripe", "bad"], ["Ripe", "good"], ["sour", "bad"], ["sour", "bad"]),
    ...Array.from({ length: 20 }, (_, i) => ({ t: `pear ${i}`, l: i % 2 === 0 ? "good" : "bad" })),
  ]
  const data = { ...fromRows(rows, labelled), notes: ["read so"] }
  const splits = splitData(data, { validation: 0.1, test: 0.2, seed: 3 })
  assertEquals([splits.removedDuplicates, splits.conflictingLabels], [2, 1])
  assertEquals(splits.duplicates, [{ row: 3, of: 1, text: "Ripe" }, { row: 5, of: 4, text: "sour" }])
  assertStringIncludes(
    splits.notes[0],
    "rows: left out, since an earlier row says the same: 2 rows, row 3 (as 1), 5 (as 4)",
  )
  assertStringIncludes(
    splits.notes[1],
    'kept in one part although their labels differ: 1 text, row 1 "good", 2 "bad"',
  )
  assertEquals(splits.train.notes, ["read so", ...splits.notes])
  assertEquals([splits.validation.notes, splits.test.notes], [["read so"], ["read so"]])
  const plain = splitData(fromRows(rows.slice(5), labelled), { validation: 0.1, test: 0.2 })
  assertEquals([plain.notes, plain.duplicates, plain.conflicts], [[], [], []])
})

Deno.test("classes that a part lacks are told", () => {
  const told = (data: Parameters<typeof splitData>[0], options: SplitOptions) =>
    splitData(data, options).notes.join("\n")
  const rare = fromRows(
    Array.from({ length: 40 }, (_, i) => ({ t: `plum ${i}`, l: i === 7 ? "rare" : `c${i % 2}` })),
    labelled,
  )
  assertStringIncludes(told(rare, { validation: 0, test: 0.2 }), '1 of 3 classes have no row in test: "rare"')
  // Tags are not stratified: here the only row with a tag is drawn for the test by some seed.
  const words = fromRows(
    Array.from({ length: 10 }, (_, i) => ({ w: [`w${i}`, "x"], g: [i === 4 ? "B" : "O", "X"] })),
    { words: "w", tags: "g" },
  )
  const notes = Array.from({ length: 20 }, (_, seed) => told(words, { validation: 0, test: 0.3, seed }))
  const untrained = notes.filter((note) => note.includes('1 of 3 classes have no row to train on: "B"'))
  assert(untrained.length > 0 && untrained.length < 20)
  assert(untrained.every((note) => !note.includes("in test")))
})
