import { assertEquals, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import type { Data } from "../../../core/data/dataset.ts"
import { encode, encodeBlocks } from "../../../core/data/encode.ts"
import { framed, tokenizer } from "./_support.ts"

const half = "a leaf \ud83c\udf43".slice(0, -1)

Deno.test("half of a character is refused at every door, also in rows that no reader made", () => {
  const given = { source: "texts", unit: "row", labels: ["x", "y"] } as const
  const data: ReadonlyArray<Data> = [
    { ...given, kind: "classification", rows: [{ text: "a", label: 0, row: 1 }, { text: half, label: 1, row: 2 }] },
    { ...given, kind: "text", rows: [{ text: "a", row: 1 }, { text: half, row: 2 }] },
    { ...given, kind: "completion", rows: [{ prompt: half, completion: "\udf43 falls", row: 2 }] },
    { ...given, kind: "tagged", rows: [{ words: ["a", half], text: `a ${half}`, labels: [0, 1], row: 2 }] },
  ]
  for (const own of data) {
    for (const cutter of [tokenizer, framed]) {
      const error = assertThrows(() => encode(own, cutter, { maxLength: 16 }), DataError, "half of a character")
      assertEquals([error.reason, error.rows], ["Malformed", [2]])
    }
  }
  const [, text] = data
  if (text.kind !== "text") throw new Error("the second is plain text")
  assertThrows(() => encodeBlocks(text, tokenizer, { blockLength: 8 }), DataError, "half of a character")
})

Deno.test("a tokenizer takes no half of a character, as tokenizers 0.22.2 does not", () => {
  for (const text of [half, "\udf43", "\udf43\ud83c"]) {
    const error = assertThrows(() => tokenizer.encode(text), DataError, "half of a character")
    assertEquals(error.reason, "Tokenizer")
  }
  assertEquals(tokenizer.decode(tokenizer.encode("a leaf \ud83c\udf43")), "a leaf \ud83c\udf43")
})
