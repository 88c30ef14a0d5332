import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import { passagesOf } from "../../../plugins/retrieval/mod.ts"

const text = "One is here. Two is there! Three, where? Four and five.\n\nSix is the last one."

Deno.test("passages are whole sentences of the document, from where they say", () => {
  const passages = passagesOf([{ source: "a", text }, { source: "b", text: "Short." }], {
    passageLength: 30,
    overlap: 0,
  })
  assertEquals(passages.map(({ text }) => text), [
    "One is here. Two is there!",
    "Three, where? Four and five.",
    "Six is the last one.",
    "Short.",
  ])
  assertEquals(passages.map(({ source }) => source), ["a", "a", "a", "b"])
  for (const { text: own, begin } of passages.slice(0, 3)) assertStringIncludes(text.slice(begin), own)
})

Deno.test("passages overlap by sentences, and come to an end where each sentence is one", () => {
  const of = (passageLength: number, overlap: number) =>
    passagesOf([{ source: "a", text }], { passageLength, overlap }).map(({ text }) => text)
  assertEquals(of(30, 1), [
    "One is here. Two is there!",
    "Two is there! Three, where?",
    "Three, where? Four and five.",
    "Six is the last one.",
  ])
  assertEquals(of(16, 3), [
    "One is here.",
    "Two is there!",
    "Three, where?",
    "Four and five.",
    "Six is the last",
    "one.",
  ])
})

Deno.test("a long sentence is cut at spaces, a long word anywhere, and nothing is lost", () => {
  const long = `${"word ".repeat(50)}${"x".repeat(70)}.`
  const passages = passagesOf([{ source: "a", text: long }], { passageLength: 20, overlap: 0 })
  assert(passages.every(({ text }) => text.length <= 20))
  assertEquals(passages.map(({ text }) => text).join("").replaceAll(" ", ""), long.replaceAll(" ", ""))
  assert(passages.slice(0, 12).every(({ text }) => /^(word ?)+$/.test(text)))
})

Deno.test("no documents, documents without text and wrong options are errors that say so", () => {
  const wrong = (documents: Parameters<typeof passagesOf>[0], options?: object) => {
    const { reason, message } = assertThrows(() => passagesOf(documents, options), DataError)
    return `${reason}: ${message}`
  }
  assertEquals(wrong([]), "Empty: there are no documents: give at least one with a text")
  assertEquals(
    wrong([{ source: "a", text: "a" }, { source: "b", text: " \n" }]),
    "EmptyText: documents: no text in row 2",
  )
  assertStringIncludes(
    wrong([{ source: "a", text: "a" }], { passageLength: 0 }),
    "passageLength must be a whole number from 1",
  )
  assertStringIncludes(wrong([{ source: "a", text: "a" }], { length: 3 }), 'unknown option "length"')
})
