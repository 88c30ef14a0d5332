import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { cardNotes, cardSections, dataCard, likelyMislabelled, personalData } from "../../../plugins/data_card/mod.ts"
import { nearDuplicates } from "../../../plugins/data_card/near_duplicates.ts"
import * as Dataset from "../../../core/tasks/dataset/dataset.ts"
import { texts, tokenizer } from "../../core/training/support.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"

const rng = makeRng(5)
const word = () => Array.from({ length: 3 + rng.int(6) }, () => String.fromCharCode(97 + rng.int(26))).join("")
const sentence = (length: number) => Array.from({ length }, word).join(" ")

/** The pieces of five characters of a text. */
const piecesOf = (text: string): ReadonlySet<string> => {
  const plain = text.toLowerCase().replace(/\s+/g, " ").trim()
  return new Set(Array.from({ length: Math.max(1, plain.length - 4) }, (_, i) => plain.slice(i, i + 5)))
}

const jaccard = (a: ReadonlySet<string>, b: ReadonlySet<string>) => {
  const both = [...a].filter((piece) => b.has(piece)).length
  return both / (a.size + b.size - both)
}

Deno.test("near duplicates are those that comparing all pairs finds", () => {
  const all = Array.from({ length: 200 }, () => sentence(4 + rng.int(30)))
  // Copies with a changed word, other cases, and cuts.
  for (let i = 0; i < 120; i++) {
    const words = all[rng.int(200)].split(" ")
    const changed = [
      () => words.map((one, at) => at === 1 ? word() : one),
      () => words.map((one) => one.toUpperCase()),
      () => words.slice(0, Math.ceil(words.length * (0.6 + 0.4 * rng.float()))),
      () => [...words, word()],
    ][i % 4]()
    all.push(changed.join("  "))
  }
  all.push("", "ab", " ", "Ab")
  const found = nearDuplicates(all, 0.8)
  const pieces = all.map(piecesOf)
  const expected = pieces.flatMap((own, index) =>
    pieces.slice(0, index).some((earlier) => jaccard(own, earlier) >= 0.8) ? [index] : []
  )
  assert(expected.length > 50, `${expected.length} near duplicates`)
  assertEquals(found.map(({ index }) => index), expected)
  for (const { index, of, similarity } of found) {
    assert(Math.abs(jaccard(pieces[index], pieces[of]) - similarity) < 1e-6)
  }
})

Deno.test("personal data is found by patterns and check digits, and counted by rows", () => {
  const rows = [
    "write to jane.doe+x@example.co.uk or bob@b.de!",
    "IBAN DE89 3704 0044 0532 0130 00 THANKS, GB82WEST12345698765432",
    "no IBAN: DE88 3704 0044 0532 0130 00",
    "card 4111 1111 1111 1111, not 4111 1111 1111 1112, 5500-0055-5555-5559",
    "call +44 20 7946 0958 or (555) 123-4567 or 08701237397",
    "ssn 123-45-6789, not 000-12-3456",
    "1234567890123, 01/12/2024 10:30, v1.2.3.4, 3.14159265358979, @home, a@b, 2,000,000,000",
    "jane.doe@example.com and jane.doe@example.com",
  ].map((text, i) => ({ row: 10 + i, texts: [text] }))
  assertEquals(personalData(rows), [
    { kind: "e-mail address", count: 4, rows: [10, 17] },
    { kind: "IBAN", count: 2, rows: [11] },
    { kind: "card number", count: 2, rows: [13] },
    { kind: "US social security number", count: 1, rows: [15] },
    { kind: "phone number", count: 3, rows: [14] },
  ])
})

Deno.test("finding personal data takes time in proportion to the text", () => {
  for (const long of ["a".repeat(400_000), "1".repeat(400_000), "+1 ".repeat(130_000), "DE89 ".repeat(80_000)]) {
    const start = performance.now()
    personalData([{ row: 1, texts: [long] }])
    assert(performance.now() - start < 4000, long.slice(0, 5))
  }
})

Deno.test("labels that are likely wrong: confident learning by hand", () => {
  const data = Dataset.fromRows(
    ["a", "a", "a", "b", "b", "b"].map((label, i) => ({ text: `${i}`, label })),
    { text: "text", label: "label" },
  )
  const probabilities = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45]]
  // Means: of a 0.6, of b 0.65. Row 3 is sure to be b; row 6 is a by the largest, but not surely.
  const found = likelyMislabelled(data, probabilities.map((probabilities) => ({ probabilities })))
  assertEquals(found.map(({ row, label, likelier }) => [row, label, likelier]), [[3, "a", "b"]])
  assert(Math.abs(found[0].margin + 0.8) < 1e-12)
  const surer = probabilities.with(5, [0.65, 0.35])
  assertEquals(likelyMislabelled(data, surer.map((probabilities) => ({ probabilities }))).map(({ row }) => row), [3, 6])
})

Deno.test("a card counts rows, lengths and labels, finds leaks, and holds no text", async () => {
  const { train, validation, test } = await Effect.runPromise(
    Effect.succeed(texts(200)).pipe(Dataset.split({ validation: 0.2, test: 0.2 })),
  )
  const leak = { ...train.rows[0], text: `${train.rows[0].text}  `, row: 900 }
  const personal = { ...train.rows[1], text: "secret@example.com", row: 901 }
  const parts = { train, validation, test: { ...test, rows: [...test.rows, leak, personal] } }
  const card = await Effect.runPromise(dataCard(parts, { tokenizer, maxLength: 6 }))
  assertEquals(card.rows, {
    train: train.rows.length,
    validation: validation.rows.length,
    test: test.rows.length + 2,
  })
  const lengths = train.rows.map(({ text }) => tokenizer.encode(text).length).sort((a, b) => a - b)
  assertEquals(card.lengths.train.percentiles["100"], lengths.at(-1))
  assertEquals(card.lengths.train.percentiles["50"], lengths[Math.ceil(lengths.length / 2) - 1])
  assertEquals(card.lengths.train.cut, lengths.filter((length) => length > 6).length / lengths.length)
  assertEquals(card.labels!.map(({ label }) => label), ["food", "sky"])
  assertEquals(card.labels!.reduce((sum, { rows }) => sum + rows.train, 0), train.rows.length)
  const found = card.near.find(({ row }) => row === 900)!
  assertEquals([found.part, found.of, found.ofPart, found.similarity], ["test", train.rows[0].row, "train", 1])
  assertEquals(card.personal, [{ kind: "e-mail address", count: 1, rows: [901] }])

  const shown = JSON.stringify([card, cardSections(card, { of: "rows", rows: [] }), cardNotes(card)])
  for (const { text } of [...train.rows, personal]) assert(!shown.includes(text), text)
  assertStringIncludes(cardNotes(card).join("\n"), "what looks like personal data (e-mail address): 1 find in 1 row")
  const failed = await Effect.runPromise(Effect.flip(dataCard(parts, { tokenizer, similarity: 0 })))
  assertStringIncludes(failed.message, "similarity must be a number above 0 and up to 1, got 0")
})
