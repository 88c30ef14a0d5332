import { assertEquals, assertStringIncludes } from "@std/assert"
import { read, refused } from "./support.ts"

const two = [["a", "1.0"], ["b", "2.0"]]

Deno.test("JSON in the forms that pandas 3.1.1 writes (to_json by orient) and datasets (to_dict)", async () => {
  const records = '[{"note":"a","kind":1.0},{"note":"b","kind":2.0}]'
  for (
    const content of [
      records,
      '{"columns":["note","kind"],"index":[0,1],"data":[["a",1.0],["b",2.0]]}',
      '{"0":{"note":"a","kind":1.0},"1":{"note":"b","kind":2.0}}',
      '{"note":{"0":"a","1":"b"},"kind":{"0":1.0,"1":2.0}}',
      '{"note":["a","b"],"kind":[1.0,2.0]}',
    ]
  ) assertEquals(await read("a.json", content), { cells: two, lines: [1, 2], notes: [] }, content)
  const table = await read("a.json", `{"schema":{"fields":[],"primaryKey":["index"]},"data":${records}}`)
  assertEquals([table.cells, table.notes], [two, ['a.json: the rows are those of "data"']])
  assertEquals((await read("a.json", '[["a",1.0],["b",2.0]]', { header: ["note", "kind"] })).cells, two)
})

Deno.test("JSON that may be several things is an error that says what it is", async () => {
  for (
    const [content, what] of [
      ['{"train":[{"note":"a"}],"test":[{"note":"b"}]}', 'several lists of rows, "train", "test"'],
      ['{"note":["a","b"],"kind":["x"]}', 'lists of different lengths: 2 of "note", 1 of "kind"'],
      ['{"one":{"note":"a"},"two":{"note":"b"}}', 'which may be columns or rows: write it with orient="records"'],
      ['[["a","x"]]', "an array of arrays"],
      ['{"note":"a","kind":"x"}', 'one object with "note", "kind"'],
      ["3", "it holds only 3"],
    ]
  ) {
    const { reason, message } = await refused("a.json", content)
    assertEquals(reason, "Malformed")
    assertStringIncludes(message, what)
  }
})

Deno.test("JSON and JSON Lines under each other's name", async () => {
  const lines = '{"note":"a","kind":1.0}\n{"note":"b","kind":2.0}\n'
  const asJson = await read("a.json", lines)
  assertEquals([asJson.cells, asJson.lines], [two, [1, 2]])
  assertStringIncludes(asJson.notes.join(), "read as JSON Lines: it holds one object a line")
  const pretty = '[\n {"note": "a", "kind": 1.0},\n {"note": "b", "kind": 2.0}\n]\n'
  for (const content of [pretty, pretty.replaceAll("\n", "")]) {
    const { cells, notes } = await read("a.jsonl", content)
    assertEquals(cells, two)
    assertStringIncludes(notes.join(), "read as JSON: it holds one value")
  }
  assertEquals((await read("a.csv", lines)).cells, two)
  assertEquals((await read("a.jsonl", lines.replaceAll("\n", "\r"))).cells, two)
  assertEquals((await refused("a.json", `${lines}{"note":`)).rows, [3])
})

Deno.test("numbers keep their text, whatever JavaScript would write; what stands in texts is left alone", async () => {
  const numbers = [
    "1",
    "1.0",
    "1e3",
    "12345678901234567890",
    "9007199254740993",
    "-0",
    "0.10",
    "1E5",
    "0.0000001",
    "-1.5",
    "1e400",
  ]
  const lines = numbers.map((number) => `{"note": "at 1.0, \\"2.50\\" or -0", "kind": ${number}}`).join("\n")
  const { cells } = await read("a.jsonl", lines)
  assertEquals(cells, numbers.map((number) => ['at 1.0, "2.50" or -0', number]))
  assertEquals((await read("a.json", `[${lines.replaceAll("\n", ",")}]`)).cells, cells)
})

Deno.test("NaN and Infinity, as Python writes them, are nothing", async () => {
  const unasked = await read(
    "a.json",
    '[{"note": "NaN a", "kind": "x", "score": NaN}, {"note": "b", "kind": "y", "score": -Infinity}]',
  )
  assertEquals(unasked.cells, [["NaN a", "x"], ["b", "y"]])
  const asked = await refused("a.jsonl", '{"note": "a", "kind": "x"}\n{"note": "b", "kind": NaN}\n')
  assertEquals([asked.reason, asked.rows], ["EmptyText", [2]])
})

Deno.test("what is not JSON is told in our words, with line and column", async () => {
  for (
    const [content, what] of [
      [
        "{'note': 'a'}",
        `column 2 on: "'note': 'a'}" is in single quotes; if Python printed it, write it with json.dumps`,
      ],
      ['{"note": None}', `column 10 on: "None}" is Python's`],
      ['{"note": "a",}', "a comma stands before }"],
      ['{"note": "a"}{"note": "b"}', "column 14 on: another value follows without a comma"],
      ['{"note": "a"},', "column 14 on: a comma follows where the value has ended"],
      ['{"note": "a', "is not closed: was it cut off"],
      ['{"note": ["a"', "it ends in the middle; was it cut off?"],
      ['{"note": 01.50}', 'column 11 on: "1.50}" cannot stand there'],
      ['# {"note": "a"}', "JSON has no comments"],
    ]
  ) {
    const { rows, message } = await refused("a.jsonl", `{"note": "a", "kind": "x"}\n${content}\n`)
    assertEquals(rows, [2], content)
    assertStringIncludes(message, what)
  }
  assertStringIncludes(
    (await refused("a.json", '[{"note": "a"},\n {"note": "b"},\n]')).message,
    "a.json is not JSON from line 3, column 1 on: a comma stands before ]",
  )
  assertStringIncludes((await refused("a.jsonl", "note,kind\na,x\n")).message, "none of its lines is JSON")
  assertStringIncludes((await refused("a.jsonl", '"{\\"note\\": 1}"\n')).message, "encoded twice?")
})

Deno.test("a text that is not closed was cut off, and what is no JSON at all may be another kind of file", async () => {
  const row = '{"note": "a", "kind": "x"}'
  for (
    const [name, content, rows] of [
      ["a.jsonl", `${row}\n{"note": "b", "ki`, [2]],
      ["a.jsonl", `${row}\n{"note": "b\nc", "kind": "y"}\n`, [2, 3]],
      ["a.json", `[${row}, {"note": "b \\"`, undefined],
    ] as const
  ) {
    const error = await refused(name, content)
    assertEquals([error.reason, error.rows], ["Malformed", rows])
    assertStringIncludes(error.message, "is not closed: was it cut off, or does a line end stand in it?")
  }
  for (const content of ["note,kind\na,x\n", "note\tkind\na\tx\n", "a: b\n"]) {
    assertStringIncludes(
      (await refused("a.json", content)).message,
      "a file of another kind, give its format (option format)",
    )
  }
})
