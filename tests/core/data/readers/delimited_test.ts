import { assertEquals, assertStringIncludes } from "@std/assert"
import { read, refused } from "./support.ts"

const two = [["a", "x"], ["b", "y"]]

Deno.test("what parts the columns is seen in the first line, and told", async () => {
  for (const [delimiter, name] of [[";", "semicolons"], ["\t", "tabs"], ["|", "bars"]]) {
    const lines = [`note${delimiter}kind`, `a, b${delimiter}x`, `"c${delimiter}""d"""${delimiter}y`]
    const { cells, notes } = await read("a.csv", lines.join("\n"))
    assertEquals(cells, [["a, b", "x"], [`c${delimiter}"d"`, "y"]])
    assertStringIncludes(notes.join(), `a.csv: its columns are parted by ${name}, not by commas`)
  }
  const commas = await read("a.tsv", 'note,kind\n"a, b",x\nc,y\n')
  assertEquals(commas.cells, [["a, b", "x"], ["c", "y"]])
  assertStringIncludes(commas.notes.join(), "parted by commas, not by tabs")
  assertEquals((await read("a.csv", "note\tkind\tx, y\na, b, c\tx\t1\nd\ty\t2\n")).cells, [["a, b, c", "x"], [
    "d",
    "y",
  ]])
  assertEquals((await refused("a.csv", "note,kind\na,x\n", { delimiter: '"' })).reason, "BadInput")
  assertEquals((await read("a.csv", "note::kind\na::x\nb::y\n", { delimiter: "::" })).cells, two)
  // One column, and texts with all kinds of marks.
  const single = await refused("a.csv", "note\na; b\nc | d\n")
  assertEquals(single.reason, "MissingColumn")
  assertStringIncludes(
    single.message,
    '"kind"; its columns are "note"; if its columns have another delimiter, give it',
  )
})

Deno.test("Excel's first line sep= is no header", async () => {
  assertEquals(await read("a.csv", "sep=;\r\nnote;kind\r\na;x\r\nb;y\r\n"), { cells: two, lines: [3, 4], notes: [] })
  assertEquals((await read("a.csv", '"sep=\t"\nnote\tkind\na\tx\nb\ty\n')).cells, two)
  assertEquals((await read("a.csv", "\ufeffSEP=,\nnote,kind\na,x\nb,y\n")).cells, two)
  const { notes } = await read("a.csv", 'sep=;\nnote;kind\n5" a;x\nb;y\n')
  assertStringIncludes(notes.join(), "quotes within fields are taken as characters (line 3)")
  const error = await refused("a.csv", "sep=,\nnote,kind\na\nb,y\n")
  assertEquals(error.rows, [3])
})

Deno.test("line ends: carriage returns alone, several kinds in one file, within fields", async () => {
  const mac = await read("a.csv", 'note,kind\r"a ""b""",x\rb,y\r')
  assertEquals([mac.cells, mac.lines], [[['a "b"', "x"], ["b", "y"]], [2, 3]])
  assertStringIncludes(mac.notes.join(), "lines end in carriage returns, as old Macs wrote them")
  // csv-parse 7.0.3 takes the first line's end for all, and labels end in "\r".
  assertEquals(await read("a.csv", "note,kind\na,x\r\nb,y\nc,x\r\r\n"), {
    cells: [...two, ["c", "x"]],
    lines: [2, 3, 4],
    notes: [],
  })
  const joined = await read("a.tsv", "note\tkind\na\tx\nb\ty\rc\tx\r")
  assertEquals([joined.cells, joined.lines], [[...two, ["c", "x"]], [2, 3, 4]])
  assertStringIncludes(joined.notes.join(), "some of them")
  const within = await read("a.csv", 'note,kind\r\n"a\rb",x\r\nc\rd,y\r\ne,x\r\n')
  assertEquals([within.cells, within.lines], [[["a\rb", "x"], ["c\rd", "y"], ["e", "x"]], [2, 3, 4]])
  assertStringIncludes(within.notes.join(), "carriage returns within fields are kept (lines 2, 3)")
})

Deno.test("half of a line end at the end of a file is no part of a cell", async () => {
  // csv.reader of Python 3.11 and pandas 3.1.1 read the same.
  for (const [name, content] of [["a.csv", "note,kind\r\na,x\r\nb,y\r"], ["a.tsv", "note\tkind\r\na\tx\nb\ty\r\r"]]) {
    const { cells, notes } = await read(name, content)
    assertEquals([cells, notes], [two, []])
  }
  assertEquals((await read("a.csv", 'kind,note\r\nx,a\r\ny,"b"\r')).cells, two)
})

Deno.test("columns without a name or twice matter only when they are asked for", async () => {
  // pandas 3.1.1 names them "Unnamed: 0" and "kind.1", and reads the rest alike.
  const index = await read("a.csv", ",note,kind,\n0,a,x,1\n1,b,y,2\n")
  assertEquals(index.cells, two)
  assertEquals((await read("a.csv", "id,note,kind,id,,\n1,a,x,1,,\n2,b,y,2,,\n")).cells, two)
  const twice = await refused("a.csv", "kind,note,kind\n1,a,x\n")
  assertEquals(twice.reason, "Malformed")
  assertStringIncludes(twice.message, 'column "kind" is there twice')
})

Deno.test("rows may lack what has no name and end in empty fields; empty rows are left out and told", async () => {
  assertEquals(await read("a.csv", "note,kind,,\na,x,,\nb,y\n"), { cells: two, lines: [2, 3], notes: [] })
  assertEquals((await read("a.csv", "note,kind\na,x,\nb,y,,\n")).cells, two)
  const empty = await read("a.csv", "note,kind\na,x\n,\n  \n,,,\nb,y\n")
  assertEquals([empty.cells, empty.lines], [two, [2, 6]])
  assertStringIncludes(empty.notes.join(), "rows without any content are left out (lines 3, 5)")
  const error = await refused("a.csv", "note,kind,id\na, b,x,1\nb,y\nc,x,3\n")
  assertEquals(error.rows, [2, 3])
  assertStringIncludes(error.message, "line 2: 4 fields where there are 3 columns")
})

Deno.test("a first column without a name in the header, as R writes row names", async () => {
  // pandas 3.1.1 takes it for the index.
  const { cells, notes } = await read("a.tsv", "note\tkind\n1\ta\tx\n2\tb\ty\n")
  assertEquals(cells, two)
  assertStringIncludes(notes.join(), "its first column has no name: it numbers the rows")
  assertEquals((await refused("a.tsv", "note\tkind\n7\ta\tx\n2\tb\ty\n")).rows, [2, 3])
})

Deno.test("headers: none, given beside one, spelled otherwise", async () => {
  const none = await refused("a.csv", "what a day,good\nso bad,bad\n")
  assertStringIncludes(
    none.message,
    'its columns are "what a day", "good"; they come from its first line: if that is a row of data',
  )
  const given = await read("a.csv", "note,kind\na,x\nb,y\n", { header: ["note", "kind"] })
  assertEquals([given.cells, given.lines], [two, [2, 3]])
  assertStringIncludes(given.notes.join(), "its first line repeats the column names")
  assertStringIncludes((await refused("a.csv", "Note, kind\na,x\n")).message, 'did you mean "Note", " kind"?')
})

Deno.test("words that pandas takes for a missing value stay text, and are told", async () => {
  const { cells, notes } = await read("a.csv", "note,kind\na,NA\nnull,x\nc,None\n")
  assertEquals(cells, [["a", "NA"], ["null", "x"], ["c", "None"]])
  assertEquals(notes.length, 2)
  assertStringIncludes(
    notes[1],
    'a.csv, column "kind": "NA", "None" in lines 2, 4 stays text; pandas takes it for a missing value',
  )
})

Deno.test("where no row fits the first line, but all are alike, it may be a title; how lines end is part of an error", async () => {
  for (const first of ["Prunings of 2024", "# exported by hand", "note;kind", "kind,of,all,the,notes"]) {
    const error = await refused("a.csv", `${first}\nnote,kind\na,x\nb,y\n`)
    assertEquals(error.rows, [2, 3, 4])
    assertStringIncludes(error.message, "all rows have 2 fields")
    assertStringIncludes(error.message, "the first line may be a title or a comment, not column names, or lack a name")
  }
  const some = await refused("a.csv", "note,kind\na,x\nb, c,y\n")
  assertEquals([some.rows, some.message.includes("title")], [[3], false])
  // csv.writer of Python 3.11 with lineterminator="\r" does not quote "\n".
  const mac = await refused("a.csv", "note,kind\ra\nb,x\rc,y\rd,x\r")
  assertStringIncludes(mac.message, "lines end in carriage returns")
  const open = await refused("a.csv", 'note;kind\n"a;x\nb;y\nc;x\n')
  assertStringIncludes(open.message, "parted by semicolons, not by commas")
})

Deno.test("column names within the rows, as where files were joined, are no row", async () => {
  const joined = await read("a.csv", "note,kind\na,x\nnote,kind\r\nb,y\nnote,kind\n")
  assertEquals([joined.cells, joined.lines], [two, [2, 4]])
  assertStringIncludes(joined.notes.join(), "the column names stand there again, and are left out (lines 3, 5)")
  const tabs = await read("a.tsv", '"note"\t"kind"\t\na\tx\t\nnote\tkind\t\nb\ty\t\n')
  assertEquals([tabs.cells, tabs.lines], [two, [2, 4]])
  const named = await read("a.csv", "a,x\nnote,kind\nb,y\n", { header: ["note", "kind"] })
  assertEquals([named.cells, named.lines], [two, [1, 3]])
  const text = await read("a.csv", "note,kind\nnote,x\nkind,note\n")
  assertEquals([text.cells, text.notes], [[["note", "x"], ["kind", "note"]], []])
})
