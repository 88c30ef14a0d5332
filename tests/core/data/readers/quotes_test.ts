import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { read, refused } from "./support.ts"

/** A frame as pandas 3.1.1 writes it with `to_csv(sep="\t")`, and as its `read_csv` reads all of these files. */
const frame = [
  ['She wrote "soon" twice', "a"],
  ["plain", "b"],
  ["a\ttab", "a"],
  ["two\nlines", "b"],
  ['"all of it"', "a"],
  ['half " mark', "b"],
]
const minimal =
  'note\tkind\n"She wrote ""soon"" twice"\ta\nplain\tb\n"a\ttab"\ta\n"two\nlines"\tb\n"""all of it"""\ta\n"half "" mark"\tb\n'
const all =
  '""\t"note"\t"kind"\n"0"\t"She wrote ""soon"" twice"\t"a"\n"1"\t"plain"\t"b"\n"2"\t"a\ttab"\t"a"\n"3"\t"two\nlines"\t"b"\n' +
  '"4"\t"""all of it"""\t"a"\n"5"\t"half "" mark"\t"b"\n'
const backslashes =
  '"note";"kind"\n"She wrote \\"soon\\" twice";"a"\n"plain";"b"\n"a\ttab";"a"\n"two\nlines";"b"\n"\\"all of it\\"";"a"\n' +
  '"half \\" mark";"b"\n'

Deno.test("TSV as pandas writes it: quotes are quoting, and a note says so", async () => {
  for (const content of [minimal, minimal.replaceAll("\n", "\r\n"), all]) {
    const { cells, lines, notes } = await read("a.tsv", content)
    assertEquals(cells, frame)
    assertEquals(lines, [2, 3, 4, 5, 7, 8])
    assertStringIncludes(notes.join(), "a.tsv: quotes are taken as quoting (lines ")
    assertStringIncludes(notes.join(), "option quotes: none")
  }
  assertEquals(
    (await read("a.tsv", minimal.replaceAll("\t", ";"))).cells,
    frame.map(([a, b]) => [a.replace("\t", ";"), b]),
  )
})

Deno.test("TSV: fields that need no quotes are quoted in whole columns (csv.QUOTE_ALL) or where a comma stands (Excel)", async () => {
  const columns = await read("a.tsv", 'note\tkind\n"one"\tx\n"two"\ty\n"three"\tx\n')
  assertEquals(columns.cells, [["one", "x"], ["two", "y"], ["three", "x"]])
  const excel = await read("a.tsv", 'note\tkind\nplain\tx\n"one, two"\ty\nthree\tx\n')
  assertEquals(excel.cells, [["plain", "x"], ["one, two", "y"], ["three", "x"]])
  assertEquals([columns.notes.length, excel.notes.length], [1, 1])
})

Deno.test("TSV with quotes as characters, as GLUE has it", async () => {
  const cells = [['"No," he said', "x"], ['"never closed', "y"], ['a 3" nail', "x"], ['ends in one "', "y"], [
    "''",
    "x",
  ]]
  const content = (rows: ReadonlyArray<ReadonlyArray<string>>) =>
    ["note\tkind", ...rows.map((row) => row.join("\t"))].join("\n")
  assertEquals(await read("a.tsv", content(cells)), { cells, lines: [2, 3, 4, 5, 6], notes: [] })
  const whole = [['"A good film"', "x"], ...cells]
  // Quotes stand within fields too, and open some that they do not close: as in the SMS Spam Collection.
  assertEquals(await read("a.tsv", content(whole)), { cells: whole, lines: [2, 3, 4, 5, 6, 7], notes: [] })
  const told = await read("a.tsv", content(whole.slice(0, 3)))
  assertEquals(told.cells, whole.slice(0, 3))
  assertStringIncludes(
    told.notes.join(),
    "quotes are taken as characters of the text, though fields begin and end with them (line 2; others do not, lines 3, 4)",
  )
  // A writer that doubles quotes leaves none bare: such a file is damaged.
  const damaged = await read("a.tsv", 'note\tkind\n"as ""this"" is"\tx\n"torn" here\ty\na 3" nail\tx\n')
  assertStringIncludes(damaged.notes.join(), "(line 2; others do not, line 3)")
  // Some of a column alone, and nothing that had to be quoted: no writer of quotes does that.
  const some = [["plain", "x"], ['"A good film"', "y"], ["nothing, much", "x"], ["more", "x"]]
  const kept = await read("a.tsv", content(some))
  assertEquals(kept.cells, some)
  assertStringIncludes(kept.notes.join(), "option quotes: double")
  // Two that stand apart, so that quoting would join two rows.
  const apart = [["x", '"opens'], ["closes", 'here"'], ["plain", "x"]]
  assertEquals((await read("a.tsv", content(apart))).cells, apart)
})

Deno.test("TSV that quotes, with a row that does not fit: that row alone is at fault", async () => {
  assertEquals((await refused("a.tsv", `${minimal}no label here\n`)).rows, [9])
})

Deno.test("the option decides", async () => {
  const content = 'note\tkind\n"one"\tx\n"two"\ty\n'
  assertEquals(await read("a.tsv", content, { quotes: "none" }), {
    cells: [['"one"', "x"], ['"two"', "y"]],
    lines: [2, 3],
    notes: [],
  })
  assertEquals(await read("a.tsv", content, { quotes: "double" }), {
    cells: [["one", "x"], ["two", "y"]],
    lines: [2, 3],
    notes: [],
  })
  assertEquals((await read("a.csv", content.replaceAll("\t", ","), { quotes: "none" })).cells, [['"one"', "x"], [
    '"two"',
    "y",
  ]])
  assertEquals((await refused("a.tsv", 'note\tkind\n"a" b\tx\n', { quotes: "double" })).rows, [2])
})

Deno.test("CSV: quotes within fields are characters, as Python's csv and pandas 3.1.1 have it; all such lines are told", async () => {
  const { cells, notes } = await read("a.csv", 'note,kind\na 3" nail,x\nthe "best" of all,y\n"quoted, whole",x\n')
  assertEquals(cells, [['a 3" nail', "x"], ['the "best" of all', "y"], ["quoted, whole", "x"]])
  assertStringIncludes(notes.join(), "quotes within fields are taken as characters (lines 2, 3)")
  assertEquals((await read("a.csv", 'note,kind\n"as ""this"" is",x\n')).notes, [])
})

Deno.test("CSV: text after a closing quote and a quote that nothing closes are errors that name all lines", async () => {
  const trailing = await refused("a.csv", 'note,kind\n"no" he said,x\nfine,y\n"yes, but" she,y\n')
  assertEquals([trailing.reason, trailing.rows], ["Malformed", [2, 4]])
  assertStringIncludes(trailing.message, "line 2: text follows a closing quote")
  assertStringIncludes(trailing.message, "option quotes: none")
  // It opens in line 3; the quotes of line 5 are in order.
  const open = await refused("a.csv", 'note,kind\na,x\n"b,y\nc,x\n"d, e",y\n')
  assertEquals(open.rows, [3])
  assertStringIncludes(open.message, "a quote opens a field and no end of a field closes it")
})

Deno.test("quotes that are escaped by backslashes, as pandas 3.1.1 writes them with escapechar", async () => {
  const { cells, notes } = await read("a.csv", backslashes)
  assertEquals(cells, frame)
  assertStringIncludes(notes.join(), "escaped by backslashes")
  const plain = 'note\tkind\nsay \\"hi\\" to all\tx\n'
  assertEquals((await read("a.tsv", plain)).cells, [['say \\"hi\\" to all', "x"]])
})

Deno.test("CSV: a field in quotes whose every line would be a row is told", async () => {
  const { cells, notes } = await read("a.csv", 'note,kind\n"opens,1\ncloses",2\n')
  assertEquals(cells, [["opens,1\ncloses", "2"]])
  assert(notes.join().includes("fields in quotes hold line ends (line 2)"))
})

Deno.test("CSV: a space before a quote makes it a character, as pandas 3.1.1 has it; it is told where rows fit and where not", async () => {
  const fits = await read("a.csv", 'note,kind\na, "x"\n"b, c", "y"\nd,z\n')
  assertEquals(fits.cells, [["a", ' "x"'], ["b, c", ' "y"'], ["d", "z"]])
  assertStringIncludes(fits.notes.join(), "begins with its quote, not with a space (lines 2, 3)")
  const torn = await refused("a.csv", 'note,kind\n"a", "x, y"\n"b", "z"\n')
  assertEquals(torn.rows, [2])
  assertStringIncludes(torn.message, "begins with its quote, not with a space (lines 2, 3)")
  const inches = await read("a.csv", 'note,kind\n5" of snow,x\n 12" and 7" more,y\n')
  assertEquals(inches.notes.some((note) => note.includes("not with a space")), false)
})
