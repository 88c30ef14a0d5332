/**
 * CSV and TSV that are parsed as they are read: rows, lines and errors of the whole, wherever the parts end.
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DataError } from "../../../../core/data/data_error.ts"
import { READERS } from "../../../../core/data/readers/builtin.ts"
import { csv, csvFormat, tsv, tsvFormat } from "../../../../core/data/readers/mod.ts"
import type { OpenOptions } from "../../../../core/data/readers/reader.ts"
import type { TextOptions } from "../../../../core/data/table/text_options.ts"
import * as Dataset from "../../../../core/tasks/dataset/dataset.ts"
import { makeRng } from "../../../../core/tensor/operations/random.ts"
import { run, withFile } from "../support.ts"
import { gzip, sourceOf } from "./support.ts"

/** All that a text gives in parts. */
const inParts = (parts: ReadonlyArray<string>, options: TextOptions = {}, format = csvFormat) => {
  const { next, end } = format.begin("made", options)
  let line = 1
  const tables = parts.map((text) => {
    const table = next({ text, line })
    line += text.split(/\r+\n|\n|\r/).length - 1
    return table
  })
  const last = end?.()
  const all = last === undefined ? tables : [...tables, last]
  return { rows: all.flatMap(({ rows }) => rows), places: all.flatMap(({ places }) => places) }
}

/** Every way to part a text of few lines where lines end. */
const cuts = (text: string): ReadonlyArray<ReadonlyArray<string>> => {
  const lines = text.split(/(?<=\n)/)
  return Array.from({ length: 2 ** (lines.length - 1) }, (_, chosen) =>
    lines.reduce<ReadonlyArray<string>>(
      (parts, line, i) =>
        i > 0 && (chosen >> (i - 1)) % 2 === 0 ? [...parts.slice(0, -1), parts.at(-1) + line] : [...parts, line],
      [],
    ))
}

const CSV: Readonly<Record<string, readonly [text: string, options?: TextOptions]>> = {
  plain: ["a,b\n1,2\n3,4\n5,6"],
  "line ends of Windows": ["a,b\r\n1,2\r\n\r\n3,4\r\n"],
  "ends within a line end": ["a,b\r\n1,2\r\n3,4\r"],
  "fields over lines": ['a,b\n1,"one\ntwo\n\nthree"\n"x\ny",4\n5,"\n"\n'],
  "doubled quotes": ['a,b\n1,"say ""hi""\nand ""bye"""\n2,""""\n'],
  "quotes within fields": ['a,b\n5" nail,2\n"3\n",a "b" c\n7,8\n'],
  "escaped quotes": ['a,b\n1,"say \\"hi\\" twice"\n2,"x\ny \\"z\\", w"\n3,4\n'],
  "backslashes": ['a,b\n"C:\\","2"\n3,"4"\n5,6\n'],
  "blank lines, blank rows, repeated header": ["\n\na,b\n\n1,2\n,\na,b\n \n3,4\n"],
  "columns without names": ["a,b,,\n1,2,,\n3,4\n5,6,\n"],
  "numbered rows": ["a,b\n0,x,y\n1,z,w\n2,u,v\n"],
  "what Excel says": ['sep=;\na;b\n1;"2\n3"\n4;5\n'],
  "other delimiters": ["a;b\n1;2,5\n3;4,5\n"],
  "a header that is given": ['1,"2\n"\n3,4\n', { header: ["a", "b"] }],
  "a header that is given and there": ["a,b\n1,2\n3,4\n", { header: ["a", "b"] }],
  "quotes that are characters": ['a,b\n"1,2"\n"3,4\n', { quotes: "none" }],
  "one column": ['text\n"one\ntwo"\nthree\n'],
  "kept carriage returns": ['a,b\n1,"2\rx"\n3,4\n'],
}
/** Styles that no part before them shows: the header and the first rows come together. */
const SHOWN: Readonly<Record<string, number>> = { "numbered rows": 2, "escaped quotes": 2, "backslashes": 2 }

for (const [what, [text, options = {}]] of Object.entries(CSV)) {
  Deno.test(`CSV in parts: ${what}`, () => {
    const { rows, places } = csv(text, "made", options)
    assert(rows.length >= 2)
    const all = cuts(text).filter(([first]) => first.split("\n").length > (SHOWN[what] ?? 0))
    assert(all.length >= 2)
    for (const parts of all) assertEquals(inParts(parts, options), { rows, places }, JSON.stringify(parts))
  })
}

Deno.test("TSV in parts: quotes are what the first part with some shows", () => {
  const enclosing = 'a\tb\n1\t"two\t2"\n3\t"x\ny"\n4\t5\n'
  const characters = 'a\tb\n1\the said "two\n"3\t4\n5\t"6\n7\t8\n'
  for (const text of [enclosing, characters]) {
    const { rows, places } = tsv(text, "made", {})
    for (const parts of cuts(text).filter(([first]) => /"/.test(first) || first.split("\n").length === 2)) {
      assertEquals(inParts(parts, {}, tsvFormat), { rows, places }, JSON.stringify(parts))
    }
  }
  const given = { quotes: "double" } as const
  const { rows, places } = tsv(enclosing, "made", given)
  for (const parts of cuts(enclosing)) assertEquals(inParts(parts, given, tsvFormat), { rows, places })
})

Deno.test("TSV in parts: a quote that none closes is a character", () => {
  const parts = ['a\tb\n1\t"2\n', ...Array.from({ length: 20 }, (_, i) => `${i}\t${"x".repeat(2 ** 20)}\n`), '3\t"4"\n']
  const { rows, places } = tsv(parts.join(""), "made", { quotes: "none" })
  assertEquals(inParts(parts, {}, tsvFormat), { rows, places })
})

Deno.test("CSV in parts: random tables as a writer quotes them", () => {
  const { next, shuffle } = (() => {
    const rng = makeRng(5)
    return { next: (below: number) => Math.floor(rng.float() * below), shuffle: rng.shuffle }
  })()
  const pieces = ["a", "é", ",", '"', "\n", "\r\n", " ", "x,y", '""', "日本", "\\", "", "\t", ";"]
  for (let round = 0; round < 60; round++) {
    const cell = () => Array.from({ length: next(5) }, () => pieces[next(pieces.length)]).join("")
    const rows = Array.from({ length: 3 + next(8) }, () => [`r${next(100)}`, cell(), cell()])
    const written = (field: string) => /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field
    const text = ["id,b,c", ...rows.map((row) => row.map(written).join(","))].join("\n") + "\n"
    const whole = csv(text, "made", {})
    const lines = text.split(/(?<=\n)/)
    const ends = shuffle(lines.map((_, i) => i).slice(1)).slice(0, 1 + next(4)).sort((a, b) => a - b)
    const parts = [0, ...ends].map((from, i) => lines.slice(from, [...ends, lines.length][i]).join(""))
    assertEquals(inParts(parts), { rows: whole.rows, places: whole.places }, JSON.stringify(parts))
  }
})

Deno.test("CSV in parts: faults have their lines", () => {
  const fault = (parts: ReadonlyArray<string>) => assertThrows(() => inParts(parts), DataError).message
  assertStringIncludes(fault(["a,b\n1,2\n", "3,4\n5,6,7\n"]), "line 4: 3 fields where there are 2 columns")
  assertStringIncludes(fault(["a,b\n1,2\n", '3,"4"x\n']), "line 3: text follows a closing quote")
  assertStringIncludes(fault(['a,b\n1,"2\n', "3,4\n", "5,6\n"]), "line 2: a quote opens a field")
  assertStringIncludes(fault(["a,b\n\n", '\n1,"2\n3"\n', "4\n"]), "line 6: 1 fields")
  const endless = ['a,b\n1,"2\n', ...Array.from({ length: 20 }, () => `${"x".repeat(2 ** 20)},6\n`)]
  assertStringIncludes(fault(endless), "line 2: a quote opens a field and none closes it within 16777216 characters")
  assertThrows(() => csvFormat.begin("made", { delimiter: "\n" }), DataError, "a delimiter is one or more characters")
})

const all = (bytes: Uint8Array<ArrayBuffer>, options: OpenOptions = {}) => {
  const { source, read } = sourceOf(bytes)
  const { open } = READERS.find(({ name }) => name === "csv")!
  return Effect.runPromise(
    open(source, { streamed: true, ...options }).pipe(
      Effect.flatMap(Stream.runCollect),
      Effect.map((chunks) => ({
        read,
        chunks: chunks.length,
        rows: chunks.flatMap(({ rows }) => rows),
        places: chunks.flatMap(({ places }) => places!),
      })),
    ),
  )
}

const bytes = new TextEncoder().encode(
  [
    "id,text,label",
    ...Array.from({ length: 60_000 }, (_, i) => `${i},"línea ${i},\r\n\r\n${"日本 ".repeat(i % 30)} ""x"" ",${i % 2}`),
  ].join("\r\n"),
)

Deno.test("a CSV file of several parts has the rows and lines of the whole, gzipped or not", async () => {
  const whole = await all(bytes, { streamed: false })
  assertEquals([whole.chunks, whole.rows.length, whole.read.whole], [1, 60_000, true])
  for (const content of [bytes, await gzip(bytes)]) {
    const parts = await all(content)
    assert(parts.chunks > 1, `${parts.chunks} chunks`)
    assertEquals(parts.rows, whole.rows)
    assertEquals(parts.places, whole.places)
    assert(!parts.read.whole)
  }
})

Deno.test("a CSV stream reads no further than it is taken; what is no CSV is parsed as a whole", async () => {
  const { source, read } = sourceOf(bytes)
  const { open } = READERS.find(({ name }) => name === "csv")!
  const stream = await Effect.runPromise(open(source, { streamed: true }))
  for await (const _ of Stream.toAsyncIterable(stream)) break
  assert(read.to < bytes.length, `${read.to} of ${bytes.length} bytes were read`)
  const encode = (text: string) => new TextEncoder().encode(text)
  assertEquals((await all(encode('{"a": 1}\n{"a": 2}\n'))).rows, [{ a: 1 }, { a: 2 }])
  const page = await all(encode("<!DOCTYPE html><html></html>")).then(() => "", ({ message }) => message)
  assertStringIncludes(page, "is a page of the web")
})

Deno.test("a stream of one part has the notes of the whole; what many parts show is told once", async () => {
  const columns = { prompt: "a", completion: "b" }
  const told = (name: string, text: string, options: TextOptions = {}) =>
    withFile(name, text, async (path) => {
      const whole = await run(Dataset.file(path, columns, options))
      const { notes = [], chunks } = await run(Dataset.stream(path, columns, options))
      let count = 0
      for await (const _ of chunks) count++
      const named = (all: ReadonlyArray<string> = []) => all.map((note) => note.replace(path, "it"))
      return { count, notes: named(notes), whole: named(whole.notes) }
    })
  for (
    const [name, text, expected] of [
      ["x.tsv", 'a\tb\n1\t"two\t2"\n3\t"x"\n4\t5\n', "it: quotes are taken as quoting (lines 2, 3)"],
      ["x.tsv", 'a\tb\n1\t"two"\n2\tthree "x"\n', "it: quotes are taken as characters of the text"],
      ["x.csv", 'a,b\n1,two "2"\n"3",4\n', "it: quotes within fields are taken as characters (line 2)"],
      ["x.csv", 'sep=;\na;b\n1;5" x\n', "it: quotes within fields are taken as characters (line 3)"],
      ["x.csv", "a;b\n1;2\n3;4\n", "it: its columns are parted by semicolons, not by commas"],
      ["x.csv", "a,b\r1,2\r3,4\r", "it: lines end in carriage returns"],
    ] as const
  ) {
    const { notes, whole } = await told(name, text)
    assertEquals(notes, whole)
    assertStringIncludes(notes.join("\n"), expected)
  }
  assertEquals((await told("x.tsv", "a\tb\n1\t2\n")).notes, [])
  const long = "x".repeat(200)
  const rows = Array.from({ length: 50_000 }, (_, i) => `${i}\t"${long}\t${i}"\n`).join("")
  const { count, notes } = await told("x.tsv", `a\tb\n${rows}`)
  assert(count > 1)
  assertEquals(notes.length, 1)
  assertStringIncludes(notes[0], "it: quotes are taken as quoting (lines 2, 3, 4, 5, 6 and ")
})
