import { assertEquals, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import { type Data, labeledRows, pairRows, taggedRows, textRows } from "../../../core/tasks/dataset/dataset.ts"
import { encodeRows as encode, encodeTextBlocks as encodeBlocks, framed, tokenizer } from "./support.ts"

const half = "a leaf \ud83c\udf43".slice(0, -1)

Deno.test("half of a character is refused at every door, also in rows that no reader made", () => {
  const given = { source: "texts", unit: "row", labels: ["x", "y"] } as const
  const data = [
    { ...given, kind: labeledRows, rows: [{ text: "a", label: 0, row: 1 }, { text: half, label: 1, row: 2 }] },
    { ...given, kind: textRows, rows: [{ text: "a", row: 1 }, { text: half, row: 2 }] },
    { ...given, kind: pairRows, rows: [{ prompt: half, completion: "\udf43 falls", row: 2 }] },
    { ...given, kind: taggedRows, rows: [{ words: ["a", half], text: `a ${half}`, labels: [0, 1], row: 2 }] },
  ]
  for (const own of data as ReadonlyArray<Data>) {
    for (const cutter of [tokenizer, framed]) {
      const error = assertThrows(() => encode(own, cutter, { maxLength: 16 }), DataError, "half of a character")
      assertEquals([error.reason, error.rows], ["Malformed", [2]])
    }
  }
  const [, text] = data as ReadonlyArray<Data>
  assertThrows(() => encodeBlocks(text, tokenizer, { blockLength: 8 }), DataError, "half of a character")
})

Deno.test("a tokenizer takes no half of a character, as tokenizers 0.22.2 does not", () => {
  for (const text of [half, "\udf43", "\udf43\ud83c"]) {
    const error = assertThrows(() => tokenizer.encode(text), DataError, "half of a character")
    assertEquals(error.reason, "Tokenizer")
  }
  assertEquals(tokenizer.decode(tokenizer.encode("a leaf \ud83c\udf43")), "a leaf \ud83c\udf43")
})
