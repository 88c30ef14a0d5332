import { assertEquals, assertStringIncludes } from "@std/assert"
import { read, refused } from "./support.ts"

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const utf8 = (text: string) => new TextEncoder().encode(text)
const joined = (...parts: ReadonlyArray<Uint8Array>) => Uint8Array.from(parts.flatMap((part) => [...part]))
const wide = (text: string, mark: boolean, littleEndian: boolean) => {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
  return Uint8Array.from(
    [...mark ? [0xfeff] : [], ...units].flatMap((unit) =>
      littleEndian ? [unit & 255, unit >> 8] : [unit >> 8, unit & 255]
    ),
  )
}
const gzip = async (text: string) =>
  new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer())

Deno.test("UTF-16 is read where the file shows it, and byte order marks are no part of a name", async () => {
  const content = "note,kind\r\nna\u00efve \ud83c\udf33,x\r\n"
  const cells = [["na\u00efve \ud83c\udf33", "x"]]
  assertEquals((await read("a.csv", wide(content, true, true))).cells, cells)
  assertEquals((await read("a.csv", wide(content, true, false))).cells, cells)
  const bare = await read("a.csv", wide(content, false, true))
  assertEquals([bare.cells, bare.notes], [cells, ["a.csv is UTF-16LE text"]])
  assertEquals((await read("a.csv", `\ufeff\ufeff${content}`)).cells, cells)
})

Deno.test("text that is not UTF-8: what it may be, where, and what to do", async () => {
  const latin = bytes("kind,note\nx,fine\ny,cr\xe8me \x93br\xfbl\xe9e\x94\n")
  const error = await refused("a.csv", latin)
  assertEquals([error.reason, error.rows], ["Unreadable", [3]])
  assertStringIncludes(error.message, 'likely Windows-1252 (Latin-1), where it reads "y,crème"')
  assertStringIncludes(error.message, "option encoding: windows-1252")
  assertEquals((await read("a.csv", latin, { encoding: "windows-1252" })).cells, [["fine", "x"], [
    "crème “brûlée”",
    "y",
  ]])
  const japanese = joined(
    utf8("note,kind\n"),
    Uint8Array.of(0x82, 0xb1, 0x82, 0xf1, 0x82, 0xc9, 0x82, 0xbf, 0x82, 0xcd),
    utf8(",x\n"),
  )
  assertStringIncludes((await refused("a.csv", japanese)).message, '"shift_jis"')
  assertEquals((await read("a.csv", japanese, { encoding: "shift_jis" })).cells, [["こんにちは", "x"]])
  const damaged = joined(utf8("note,kind\ncrème brûlée,x\n"), bytes("cr\xe8me,y\n"))
  assertStringIncludes((await refused("a.csv", damaged)).message, "is UTF-8 in other places, but not in line 3")
  const cut = utf8("note,kind\nla crème").slice(0, -3)
  assertStringIncludes((await refused("a.csv", cut)).message, "ends within a character (line 2)")
  assertEquals((await refused("a.csv", latin, { encoding: "latin-9000" })).reason, "BadInput")
  const zero = await refused("a.csv", "note,kind\na,x\nb\0,y\n")
  assertEquals([zero.reason, zero.rows], ["Unreadable", [3]])
})

Deno.test("gzip is unpacked whatever the name says", async () => {
  const packed = await gzip("note,kind\na,x\n")
  assertEquals((await read("a.csv", packed)).cells, [["a", "x"]])
  assertEquals((await read("a.csv.gz", "note,kind\na,x\n")).cells, [["a", "x"]])
  assertStringIncludes((await refused("a.csv.gz", joined(packed, packed))).message, "unpack it and pack it anew")
})

Deno.test("files of other kinds say what they are, under a right name and a wrong one", async () => {
  for (
    const [begins, what] of [
      ["PAR1\x15\x04", "a Parquet file"],
      ["PK\x03\x04\x14\0\x06\0xl/workbook.xml", "a spreadsheet"],
      ["PK\x03\x04\x14\0\0\0train.csv", "a zip archive"],
      ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file"],
      ["\xff\xff\xff\xff\x10\0\0\0", "an Arrow stream"],
      ["SQLite format 3\0", "an SQLite database"],
      ["\x80\x04\x95\x10", "a Python pickle"],
      ["version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"],
      ["<!DOCTYPE html><html>", "a page of the web"],
    ]
  ) {
    for (const name of ["a.csv", "a.jsonl", "a.parquet"]) {
      const { reason, message } = await refused(name, bytes(begins))
      assertEquals(reason, "Unreadable", begins)
      assertStringIncludes(message, what)
    }
  }
  assertStringIncludes((await refused("a.txt", "note\tkind\na\tx\n")).message, "option format: tsv")
})

Deno.test("halves of characters in bytes, as Python writes them with surrogatepass, are told by this name", async () => {
  for (const half of [[0xed, 0xa0, 0xbd], [0xed, 0xb8, 0x80], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]]) {
    const error = await refused("a.csv", joined(utf8("note,kind\na,x\nb "), Uint8Array.from(half), utf8(",y\n")))
    assertEquals([error.reason, error.rows], ["Unreadable", [3]])
    assertStringIncludes(error.message, "halves of characters (surrogates without their pair")
  }
  // The last letter below the surrogates is one like any other.
  assertEquals(
    (await read("a.csv", joined(utf8("note,kind\n"), Uint8Array.of(0xed, 0x9f, 0xbb), utf8(",x\n")))).cells,
    [[
      "\ud7fb",
      "x",
    ]],
  )
})
