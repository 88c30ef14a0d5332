import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { cellText } from "../../../core/data/table/cells.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { file, fromRows, jsonLines, text } from "../../../core/tasks/dataset/dataset.ts"
import { failure, run, withFile } from "./support.ts"

Deno.test("a cell's text is exact", () => {
  const cases: ReadonlyArray<readonly [unknown, string | undefined]> = [
    ["007", "007"],
    [7, "7"],
    [-1.5, "-1.5"],
    [true, "true"],
    [12345678901234567890n, "12345678901234567890"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [null, ""],
    [undefined, ""],
    [Number.NaN, ""],
    [2 ** 53, undefined],
    [{}, undefined],
    [[1], undefined],
    [new Date(Number.NaN), undefined],
    [Symbol("x"), undefined],
  ]
  for (const [value, expected] of cases) assertEquals(cellText(value), expected)
})

Deno.test("rows from memory: what has no text, or may have lost digits, is an error with its rows", () => {
  const refused = (value: unknown) =>
    assertThrows(() => fromRows([{ t: "a" }, { t: value }, { t: "b" }, { t: value }], { text: "t" }), DataError)
  assertEquals([refused({ a: 1 }).reason, refused(["x"]).rows, refused(() => 1).rows], ["Malformed", [2, 4], [2, 4]])
  assertStringIncludes(refused(2 ** 60).message, "beyond 2^53, where numbers lose digits, in rows 2, 4")
  assertEquals([refused(Number.NaN).reason, refused(undefined).reason], ["EmptyText", "EmptyText"])
  assertThrows(() => fromRows([{ t: "a" }, 5n as never], { text: "t" }), DataError, "not an object: 5")
})

Deno.test("half a character is an error with its line, in every column that is asked for", async () => {
  const lines =
    '{"note": "leaf \\ud83c\\udf43", "kind": "x"}\n{"note": "leaf \\udf43", "kind": "x"}\n{"note": "a", "kind": "\\ud83c"}\n'
  await withFile("a.jsonl", lines, async (path) => {
    const pair = await failure(jsonLines(path, { prompt: "note", completion: "kind" }))
    assertEquals([pair.reason, pair.rows], ["Malformed", [2]])
    assertStringIncludes(pair.message, "half of a character")
    assertEquals((await failure(jsonLines(path, { text: "kind" }))).rows, [3])
  })
  const halves = "a leaf \ud83c\udf43".slice(0, -1)
  for (const columns of [{ text: "t" }, { text: "l" as const, label: "t" }, { prompt: "l", completion: "t" }]) {
    assertEquals(assertThrows(() => fromRows([{ t: "x", l: "y" }, { t: halves, l: "z" }], columns), DataError).rows, [
      2,
    ])
  }
  const words = [{ w: ["a"], t: ["x"] }, { w: ["b", halves], t: ["x", "y"] }]
  assertEquals(assertThrows(() => fromRows(words, { words: "w", tags: "t" }), DataError).rows, [2])
  // A column that nobody asks for may hold what it likes.
  assertEquals(fromRows([{ t: "x", l: halves }], { text: "t" }).rows.length, 1)
})

Deno.test("plain text: line ends of all kinds; lines of JSON are told", async () => {
  const read = (content: string) => withFile("a.txt", content, (path) => run(text(path)))
  assertEquals((await read("one\rtwo\r\nthree\r\r\nfour\n")).rows.map(({ text, row }) => [text, row]), [
    ["one", 1],
    ["two", 2],
    ["three", 3],
    ["four", 4],
  ])
  assertStringIncludes((await read('{"text": "a"}\n{"text": "b"}\n')).notes!.join(), "option format: jsonl")
  const lists = await withFile(
    "a.csv",
    "w,t\n\"['a']\",\"['x']\"\n",
    (path) => failure(file(path, { words: "w", tags: "t" })),
  )
  assertStringIncludes(lists.message, "CSV and TSV hold no lists: use JSON Lines")
})

Deno.test("lists that hold nothing, or an item without text, are told apart from what is no list", () => {
  const columns = { words: "w", tags: "t" } as const
  for (const [w, t] of [[["a"], [null]], [["a"], [Number.NaN]], [["a", " "], ["x", "y"]], [[], []], [["a"], []]]) {
    const error = assertThrows(() => fromRows([{ w: ["a", "b"], t: ["x", "y"] }, { w, t }], columns), DataError)
    assertEquals([error.reason, error.rows], ["EmptyText", [2]])
    assertStringIncludes(error.message, "an empty list, or an item that is empty or null, in row 2")
    assertStringIncludes(error.message, "-100 is the tag of a word without a label")
  }
  const text = assertThrows(() => fromRows([{ w: "a b", t: "x y" }], columns), DataError)
  assertEquals(text.reason, "Malformed")
})
