import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Dataset from "../../../core/tasks/dataset/dataset.ts"
import { failure, run, withFile } from "../data/support.ts"

const texts = (data: Dataset.LabeledData | Dataset.TextData) => data.rows.map((row) => row.text)

Deno.test("CSV: quotes, line ends within a field, CRLF, BOM, and the line each row starts on", async () => {
  const content = '\ufeffreview,stars\r\n"good, very\r\n""good""",5\r\n\r\nbad,1\r\n"two\r\nlines",10'
  await withFile("a.csv", content, async (path) => {
    const data = await run(Dataset.csv(path, { text: "review", label: "stars" }))
    assertEquals(texts(data), ['good, very\n"good"', "bad", "two\nlines"])
    assertEquals(data.labels, ["1", "5", "10"])
    assertEquals(data.rows.map((row) => row.label), [1, 0, 2])
    assertEquals(data.rows.map((row) => row.row), [2, 5, 6])
  })
})

Deno.test("TSV: quotes that do not quote are plain characters", async () => {
  const content = 'Label\tSMS\nham\t"Hello" he said\nspam\t"unclosed\nham\tit\'s "\n'
  await withFile("a.TSV", content, async (path) => {
    const data = await run(Dataset.file(path, { text: "SMS", label: "Label" }))
    assertEquals(texts(data), ['"Hello" he said', '"unclosed', "it's \""])
    assertEquals(data.rows.map((row) => row.label), [0, 1, 0])
  })
})

Deno.test("a file without a header line takes given column names", () =>
  withFile("a.tsv", "one\tx\ntwo\ty\n", async (path) => {
    const data = await run(Dataset.tsv(path, { text: "t", label: "l" }, { header: ["t", "l"] }))
    assertEquals(texts(data), ["one", "two"])
    assertEquals(data.rows.map((row) => row.row), [1, 2])
  }))

Deno.test("JSON, JSON Lines and gzip", async () => {
  const rows = [{ q: "1+1", a: 2 }, { q: "1+2", a: 3, extra: [1] }]
  const expected = [{ prompt: "1+1", completion: "2" }, { prompt: "1+2", completion: "3" }]
  const columns = { prompt: "q", completion: "a" }
  const plain = (data: Dataset.PairData) => data.rows.map(({ prompt, completion }) => ({ prompt, completion }))
  await withFile("a.json", JSON.stringify(rows), async (path) => {
    assertEquals(plain(await run(Dataset.json(path, columns))), expected)
  })
  const lines = rows.map((row) => JSON.stringify(row)).join("\n\n")
  const data = await withFile("a.jsonl", lines, (path) => run(Dataset.jsonLines(path, columns)))
  assertEquals(plain(data), expected)
  assertEquals(data.rows.map((row) => row.row), [1, 3])
  const packed = new Blob([lines]).stream().pipeThrough(new CompressionStream("gzip"))
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer())
  await withFile("a.jsonl.gz", bytes, async (path) => {
    assertEquals(plain(await run(Dataset.file(path, columns))), expected)
  })
  await withFile("a.jsonl.gz", bytes.subarray(0, bytes.length - 9), async (path) => {
    assertEquals((await failure(Dataset.file(path, columns))).reason, "Unreadable")
  })
})

Deno.test("plain text by line, paragraph and file", () =>
  withFile("a.txt", "one\ntwo\n\n\nthree\n", async (path) => {
    assertEquals(texts(await run(Dataset.text(path))), ["one", "two", "three"])
    const paragraphs = await run(Dataset.text(path, { document: "paragraph" }))
    assertEquals(texts(paragraphs), ["one\ntwo", "three"])
    assertEquals(paragraphs.rows.map((row) => row.row), [1, 5])
    assertEquals(texts(await run(Dataset.text(path, { document: "file" }))), ["one\ntwo\n\n\nthree\n"])
  }))

Deno.test("malformed rows are named by line", async () => {
  const content = "text,label\na,1\nb\nc,1\nd,1,2\n"
  const error = await withFile("a.csv", content, (path) => failure(Dataset.csv(path, { text: "text", label: "label" })))
  assertEquals([error.reason, error.rows], ["Malformed", [3, 5]])
  assertStringIncludes(error.message, "2 malformed row(s), lines 3, 5")
  const open = 'text,label\na,1\n"b,1\nc,2\n'
  const quote = await withFile("a.csv", open, (path) => failure(Dataset.csv(path, { text: "text", label: "label" })))
  assertEquals(quote.reason, "Malformed")
  assertStringIncludes(quote.message, "line")
  const lines = '{"text":"a"}\n{"text":\n[1]\n"x"\n'
  const parsed = await withFile("a.jsonl", lines, (path) => failure(Dataset.jsonLines(path, { text: "text" })))
  assertEquals([parsed.reason, parsed.rows], ["Malformed", [2, 3, 4]])
  const many = "text,label\n" + "x\n".repeat(100)
  const long = await withFile("a.csv", many, (path) => failure(Dataset.csv(path, { text: "text", label: "label" })))
  assertStringIncludes(long.message, "100 malformed row(s), lines 2, 3, 4, 5, 6 and 95 more")
  const twice = await withFile("a.csv", "text,text\na,b\n", (path) => failure(Dataset.csv(path, { text: "text" })))
  assertStringIncludes(twice.message, '"text" is there twice')
  const object = await withFile("a.json", '{"text":"a"}', (path) => failure(Dataset.json(path, { text: "text" })))
  assertStringIncludes(object.message, "one JSON array")
  const nested = await failure(Dataset.rows([{ text: "a" }, { text: ["b"] }], { text: "text" }))
  assertEquals([nested.reason, nested.rows], ["Malformed", [2]])
})

Deno.test("a missing column lists those that are there", async () => {
  const error = await failure(Dataset.rows([{ review: "a", stars: 1 }], { text: "text", label: "stars" }))
  assertEquals(error.reason, "MissingColumn")
  assertStringIncludes(error.message, '"text"; its columns are "review", "stars"')
})

Deno.test("empty files, rows and texts are errors", async () => {
  for (const [name, content] of [["a.csv", ""], ["a.csv", "text\n"], ["a.txt", " \n\n"], ["a.json", "[]"]]) {
    const error = await withFile(name, content, (path) => failure(Dataset.file(path, { text: "text" })))
    assertEquals(error.reason, "Empty", `${name} ${JSON.stringify(content)}`)
  }
  const error = await failure(Dataset.rows([{ text: "a" }, { text: " \n" }, {}, { text: null }], { text: "text" }))
  assertEquals([error.reason, error.rows], ["EmptyText", [2, 3, 4]])
  assertEquals((await failure(Dataset.rows([], { text: "text" }))).reason, "Empty")
})

Deno.test("labels: given order, ids, unknown and out of range", async () => {
  const columns = { text: "t", label: "l" }
  const rows = [{ t: "a", l: "no" }, { t: "b", l: "yes" }, { t: "c", l: " no " }]
  const given = await run(Dataset.rows(rows, columns, { labels: ["yes", "no"] }))
  assertEquals(given.rows.map((row) => row.label), [1, 0, 1])
  const ids = [{ t: "a", l: 0 }, { t: "b", l: 1 }, { t: "c", l: 2 }, { t: "d", l: -1 }]
  const error = await failure(Dataset.rows(ids, columns, { labels: ["no", "yes"] }))
  assertEquals([error.reason, error.rows], ["Label", [3, 4]])
  assertStringIncludes(error.message, '"2", "-1" in rows 3, 4')
  const unknown = await failure(Dataset.rows(rows, columns, { labels: ["yes", "maybe"] }))
  assertEquals(unknown.rows, [1, 3])
  // Numeric names are names: 0 is not an id here.
  assertEquals((await failure(Dataset.rows(ids, columns, { labels: ["1", "2"] }))).rows, [1, 4])
  assertEquals((await failure(Dataset.rows([{ t: "a", l: 1 }], columns))).reason, "Label")
  const numeric = await run(Dataset.rows([{ t: "a", l: 10 }, { t: "b", l: 9 }, { t: "c", l: -1.5 }], columns))
  assertEquals(numeric.labels, ["-1.5", "9", "10"])
  const flags = await run(Dataset.rows([{ t: "a", l: true }, { t: "b", l: false }], columns))
  assertEquals(flags.labels, ["false", "true"])
})

Deno.test("unreadable files: absent, unknown extension, not UTF-8", async () => {
  const absent = await failure(Dataset.csv("no/such/file.csv", { text: "text" }))
  assertEquals(absent.reason, "NotFound")
  assertStringIncludes(absent.message, "no/such/file.csv")
  const unknown = await withFile("a.xlsx", "x", (path) => failure(Dataset.file(path, { text: "text" })))
  assertEquals(unknown.reason, "UnknownFormat")
  assertStringIncludes(unknown.message, ".csv")
  const latin1 = await withFile("a.txt", Uint8Array.of(0x61, 0xe9, 0x0a), (path) => failure(Dataset.text(path)))
  assertEquals(latin1.reason, "Unreadable")
  assert(String(latin1).startsWith("DataError"))
})

Deno.test("an option of another name is an error that names the nearest one, for every way to read", () =>
  withFile("a.csv", "t,l\none,x\ntwo,y\n", async (path) => {
    const columns = { text: "t", label: "l" }
    const wrong = { delimeter: ";" } as Dataset.StreamOptions
    const { file, csv, tsv, json, jsonLines, stream, rows, text, readTable, openTable } = Dataset
    const ways = [file, csv, tsv, json, jsonLines, stream].map((read) => read(path, columns, wrong))
    const all = [...ways, text(path, wrong), rows([{ t: "a", l: "x" }], columns, wrong), readTable(path, wrong)]
    for (const read of [...all, openTable(path, wrong)]) {
      const { reason, message } = await failure<unknown>(read)
      assertEquals(reason, "BadInput")
      assertEquals(message, 'unknown option "delimeter"; the nearest known one is "delimiter"')
    }
    const { message } = await failure(file(path, columns, "csv" as Dataset.DatasetOptions))
    assertEquals(message, 'options must be an object, got "csv"')
    assertEquals((await run(stream(path, columns, { window: 1, labels: ["x", "y"], delimiter: "," }))).window, 1)
  }))

Deno.test("columns that belong to no kind of rows, and rows that are no list, are errors that say what is allowed", async () => {
  // deno-lint-ignore no-explicit-any
  const given = (value: unknown) => value as any
  const values = [{ a: "x", b: "y" }, { a: "z", b: "w" }]
  const odd = [{}, { text: "a", lable: "b" }, { prompt: "a" }, { text: 5 }, { words: "a", label: "b" }, undefined]
  for (const columns of odd) {
    const { reason, message } = await failure(Dataset.rows(values, given(columns)))
    assertEquals(reason, "BadInput")
    assertStringIncludes(message, "columns must be names of columns by meaning, { prompt, completion },")
  }
  for (const rows of ["text", undefined]) {
    assertStringIncludes((await failure(Dataset.rows(given(rows), { text: "a" }))).message, "rows must be a list of")
  }
  const { message } = await failure(Dataset.rows(values, { text: "a", label: "b" }, { labels: given("y") }))
  assertEquals(message, 'labels must be a list of texts, got "y"')
})
